//! The names of content codings (RFC 9110 §8.4.1): the codings of the server's precompressed files
//! ([`Coding`]), and the codings that a client may receive ([`ContentCoding`]).
//!
//! Encoding and decoding are not done here.

use super::fields::Fields;

/// The coding of a representation that the server can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// No coding.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// The coding's name in `Content-Encoding` and `Accept-Encoding`.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The suffix of a precompressed file's name, with its dot; empty for [`Coding::Identity`].
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => ".gz",
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
        }
    }
}

/// A coding in `Content-Encoding` that is in IANA's HTTP Content Coding Registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCoding {
    /// `gzip` or `x-gzip` (RFC 1952).
    Gzip,
    /// The zlib format (RFC 1950).
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// The format of the UNIX program `compress`.
    Compress,
    /// Registered, but rare, or undecodable without further data such as a key or a dictionary.
    Other(&'static str),
}

/// The registered codings without a variant of their own.
const OTHER_CODINGS: [&str; 5] = ["aes128gcm", "dcb", "dcz", "exi", "pack200-gzip"];

impl ContentCoding {
    /// Parses one member of `Content-Encoding`. `None` for `identity` and for unregistered names such as
    /// `utf-8`, `none` or `aws-chunked`, which do not say how the bytes are coded.
    #[must_use]
    pub fn parse(member: &[u8]) -> Option<Self> {
        const KNOWN: [(&str, ContentCoding); 7] = [
            ("gzip", ContentCoding::Gzip),
            ("x-gzip", ContentCoding::Gzip),
            ("deflate", ContentCoding::Deflate),
            ("br", ContentCoding::Brotli),
            ("zstd", ContentCoding::Zstd),
            ("compress", ContentCoding::Compress),
            ("x-compress", ContentCoding::Compress),
        ];
        let is = |token: &str| member.eq_ignore_ascii_case(token.as_bytes());
        let known = KNOWN.iter().find(|(token, _)| is(token)).map(|(_, coding)| *coding);
        known.or_else(|| {
            OTHER_CODINGS.iter().find(|token| is(token)).map(|token| Self::Other(token))
        })
    }

    /// The codings of a response's content, in the order they were applied.
    pub fn list<'f>(fields: &Fields<'f>) -> impl Iterator<Item = Self> + use<'f> {
        fields.tokens("Content-Encoding").filter_map(Self::parse)
    }

    /// The registered name.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Compress => "compress",
            Self::Other(token) => token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_fields::with_fields;
    use super::*;

    #[test]
    fn registered_codings_are_read_in_order_and_others_say_nothing() {
        for (lines, expected) in [
            (&[][..], &[][..]),
            (&["Content-Encoding: gzip"], &["gzip"]),
            (&["Content-Encoding: X-GZIP"], &["gzip"]),
            (&["Content-Encoding: x-compress"], &["compress"]),
            (&["Content-Encoding: gzip, br", "content-encoding: zstd"], &["gzip", "br", "zstd"]),
            (&["Content-Encoding: identity, deflate,,"], &["deflate"]),
            (&["Content-Encoding: aes128gcm, dcb, dcz, exi, pack200-gzip"], &OTHER_CODINGS),
            (&["Content-Encoding:"], &[]),
            (&["Content-Encoding: utf-8, none, aws-chunked, binary, UTF 8, gzipped, x-br"], &[]),
        ] {
            let found: Vec<_> = with_fields(lines, |fields| {
                ContentCoding::list(fields).map(ContentCoding::token).collect()
            });
            assert_eq!(found, expected, "{lines:?}");
        }
    }
}
