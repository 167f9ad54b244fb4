//! Which content codings of a response are decoded, and which are the format of the file.
//!
//! A server may send `x.tar.gz` as a tar archive with the coding gzip (Apache's `AddEncoding x-gzip .gz`).
//! The coding is then the format of the file, which is saved byte for byte, as from a server without such
//! a rule. All other codings are decoded.

use url::Url;

use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::plan::url_name;
use crate::client::settings::MAX_CODINGS;
use crate::http::content_disposition::suggested_name;
use crate::http::{ContentCoding, Fields};

/// Codings to decode, in the order in which they were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Codings([Option<ContentCoding>; MAX_CODINGS]);

impl Codings {
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Whether a decoder of one of them needs megabytes of memory.
    pub(crate) fn have_large_window(self) -> bool {
        use ContentCoding::{Brotli, Zstd};
        self.outermost_first().any(|coding| matches!(coding, Brotli | Zstd))
    }

    /// In the order in which they are decoded.
    pub(crate) fn outermost_first(self) -> impl Iterator<Item = ContentCoding> {
        self.0.into_iter().rev().flatten()
    }
}

/// The names of a file, which suggest its format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FormatHints<'j> {
    pub(crate) job: &'j Job,
    /// The last URL to which the job's own was redirected.
    pub(crate) redirected_to: Option<&'j Url>,
}

impl FormatHints<'_> {
    /// Whether the file seems to be in a compressed format.
    pub(crate) fn suggest_compression(self) -> bool {
        use ContentCoding::{Brotli, Compress, Gzip, Zstd};
        [Gzip, Brotli, Zstd, Compress].into_iter().any(|coding| self.suggest(coding))
    }

    /// Whether the file seems to be in the format of this coding.
    fn suggest(self, coding: ContentCoding) -> bool {
        let urls = self.redirected_to.into_iter().chain([&self.job.url]);
        is_format_of_name(coding, &self.job.file_name)
            || urls.map(url_name::from_url).any(|name| is_format_of_name(coding, &name))
    }
}

/// The codings of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentCodings {
    pub(crate) to_decode: Codings,
    /// There is another coding, which is the file's own format.
    pub(crate) has_file_format: bool,
}

impl ContentCodings {
    /// Reads the codings from the fields of a response.
    ///
    /// # Errors
    /// A coding cannot be decoded, or there are too many.
    pub(crate) fn of(fields: &Fields<'_>, hints: FormatHints<'_>) -> Result<Self, FetchError> {
        let mut codings = ContentCoding::list(fields).peekable();
        // Only the innermost coding, which was applied first, can be the format.
        let is_format = |coding: &ContentCoding| {
            let content_type = fields.only("Content-Type").unwrap_or_default();
            let suggested = fields.only("Content-Disposition").and_then(suggested_name);
            hints.suggest(*coding)
                || is_format_of_type(*coding, content_type)
                || suggested.is_some_and(|name| is_format_of_name(*coding, &name))
        };
        let has_file_format = codings.next_if(is_format).is_some();
        let mut to_decode = Codings::default();
        for (index, coding) in codings.enumerate() {
            if matches!(coding, ContentCoding::Compress | ContentCoding::Other(_)) {
                return Err(FetchError::UnsupportedCoding(coding.token()));
            }
            *to_decode.0.get_mut(index).ok_or(FetchError::TooManyCodings)? = Some(coding);
        }
        Ok(Self { to_decode, has_file_format })
    }
}

/// Whether the extensions of a name suggest this format: the last one, or an earlier one without another
/// meaning. For Apache (`mod_mime`, "Files with Multiple Extensions") `x.tar.gz.asc` has the coding gzip,
/// although it is a signature; `messages.br.json` is in Breton.
fn is_format_of_name(coding: ContentCoding, name: &str) -> bool {
    let (anywhere, at_the_end) = extensions(coding);
    let is_among =
        |known: &[&str], found: &str| known.iter().any(|k| found.eq_ignore_ascii_case(k));
    let Some((front, last)) = name.rsplit_once('.') else { return false };
    is_among(at_the_end, last)
        || is_among(anywhere, last)
        || front.split('.').skip(1).any(|extension| is_among(anywhere, extension))
}

/// The extensions of this format: those without another meaning, and those that before another extension
/// may be a language, a country, a coordinate, or the subject of the file.
fn extensions(coding: ContentCoding) -> (&'static [&'static str], &'static [&'static str]) {
    match coding {
        ContentCoding::Gzip => (
            &["gz", "tgz", "taz", "svgz", "emz", "wmz", "wrz", "x3dz", "x3dvz", "vgz"],
            &["tz", "gzip", "dz", "z"],
        ),
        ContentCoding::Brotli => (&["tbr"], &["br"]),
        ContentCoding::Zstd => (&["zst", "tzst"], &["zstd"]),
        // `z` is no coordinate here: this coding is not in use on the web.
        ContentCoding::Compress => (&["z", "taz"], &["tz"]),
        ContentCoding::Deflate | ContentCoding::Other(_) => (&[], &[]),
    }
}

/// Whether a media type, with any parameters, is one of this format. `+gzip` and `+zstd` are structured
/// suffixes (RFC 6839, RFC 8878).
fn is_format_of_type(coding: ContentCoding, value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let (types, suffix): (&[&str], &str) = match coding {
        ContentCoding::Gzip => (
            &[
                "application/gzip",
                "application/x-gzip",
                "application/gzip-compressed",
                "application/gzipped",
                "application/x-gunzip",
                "application/x-tgz",
                "application/x-gtar-compressed",
                "application/x-compressed-tar",
                "application/x-compressed",
                "image/svg+xml-compressed",
            ],
            "+gzip",
        ),
        ContentCoding::Brotli => (&["application/x-brotli", "application/brotli"], "+br"),
        ContentCoding::Zstd => (
            &["application/zstd", "application/x-zstd", "application/x-zstd-compressed-tar"],
            "+zstd",
        ),
        ContentCoding::Compress => (&["application/x-compress"], "+compress"),
        ContentCoding::Deflate | ContentCoding::Other(_) => return false,
    };
    types.iter().any(|known| essence == known.as_bytes()) || essence.ends_with(suffix.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::test_fields::with_fields;

    /// The codings to decode for this URL, outermost first, and whether another one is the format.
    fn codings_of(url: &str, lines: &[&str]) -> Result<(Vec<&'static str>, bool), String> {
        let url = Url::parse(url).unwrap();
        let job = Job {
            file_name: url_name::from_url(&url),
            url,
            credentials: None,
            checksum: None,
            is_name_chosen: false,
        };
        let hints = FormatHints { job: &job, redirected_to: None };
        let ContentCodings { to_decode, has_file_format } =
            with_fields(lines, |fields| ContentCodings::of(fields, hints))
                .map_err(|error| error.to_string())?;
        Ok((to_decode.outermost_first().map(ContentCoding::token).collect(), has_file_format))
    }

    #[test]
    fn the_coding_that_is_the_format_of_the_file_is_kept_and_others_are_decoded() {
        for (url, lines, decoded, has_file_format) in [
            ("http://a/x.txt", &[][..], &[][..], false),
            ("http://a/x.txt", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/x.txt", &["Content-Encoding: gzip, br"], &["br", "gzip"], false),
            ("http://a/x.txt", &["Content-Encoding: utf-8, aws-chunked"], &[], false),
            ("http://a/x.tar.gz", &["Content-Encoding: x-gzip"], &[], true),
            ("http://a/X.TGZ?y", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.svgz", &["Content-Encoding: GZIP"], &[], true),
            ("http://a/x.wrz", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.tz", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.tar.Z", &["Content-Encoding: x-compress"], &[], true),
            ("http://a/x.br", &["Content-Encoding: br"], &[], true),
            ("http://a/x.tar.zst", &["Content-Encoding: zstd"], &[], true),
            ("http://a/x.tar.gz", &["Content-Encoding: gzip, br"], &["br"], true),
            ("http://a/x.tar.gz", &["Content-Encoding: gzip, gzip"], &["gzip"], true),
            ("http://a/x.tar.gz", &["Content-Encoding: br"], &["br"], false),
            ("http://a/x.tar.gz.asc", &["Content-Encoding: x-gzip"], &[], true),
            ("http://a/x.tgz.1?y", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.svgz.bak", &["Content-Encoding: gzip"], &[], true),
            ("http://a/x.tar.zst.sig", &["Content-Encoding: zstd"], &[], true),
            ("http://a/x.tar.Z.asc", &["Content-Encoding: x-compress"], &[], true),
            ("http://a/x.tbr.sig", &["Content-Encoding: br"], &[], true),
            ("http://a/x.tar.br", &["Content-Encoding: br"], &[], true),
            ("http://a/messages.br.json", &["Content-Encoding: br"], &["br"], false),
            ("http://a/zones.tz.json", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/messages.dz.po", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/points.z.csv", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/speed.gzip.csv", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/speed.zstd.csv", &["Content-Encoding: zstd"], &["zstd"], false),
            ("http://a/x.tz.gz", &["Content-Encoding: gzip"], &[], true),
            ("http://a/.gz", &["Content-Encoding: gzip"], &[], true),
            ("http://a/gz.asc", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/x.gzz.gzi", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/gz.txt", &["Content-Encoding: gzip"], &["gzip"], false),
            ("http://a/gz", &["Content-Encoding: gzip"], &["gzip"], false),
            (
                "http://a/get?x",
                &["Content-Encoding: gzip", "Content-Type: Application/X-GZip; a=b"],
                &[],
                true,
            ),
            (
                "http://a/get?x",
                &["Content-Encoding: gzip", "Content-Type: application/vnd.x.tar+gzip"],
                &[],
                true,
            ),
            (
                "http://a/get?x",
                &["Content-Encoding: gzip", "Content-Disposition: attachment; filename=\"x.gz\""],
                &[],
                true,
            ),
            (
                "http://a/x.csv",
                &["Content-Encoding: gzip", "Content-Type: text/csv"],
                &["gzip"],
                false,
            ),
        ] {
            let expected = Ok((decoded.to_vec(), has_file_format));
            assert_eq!(codings_of(url, lines), expected, "{url} {lines:?}");
        }
    }

    #[test]
    fn a_coding_that_cannot_be_decoded_is_named_in_the_error() {
        for (coding, message) in [
            ("compress", "the content is coded with compress, which cannot be decoded"),
            ("gzip, dcz", "the content is coded with dcz, which cannot be decoded"),
            ("gzip, br, gzip, br", "the content has more than 3 codings"),
        ] {
            let line = format!("Content-Encoding: {coding}");
            assert_eq!(codings_of("http://a/x", &[&line]), Err(message.to_owned()));
        }
    }
}
