//! A user name and a password for the `Basic` scheme (RFC 7617). `Debug` does not write them.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

/// The value of an `Authorization` or `Proxy-Authorization` field.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(Box<str>);

impl Credentials {
    /// Removes the user name and password from a URL, and returns them percent-decoded.
    pub(super) fn take_from(url: &mut Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
        pair.push(b':');
        pair.extend(percent_decode_str(url.password().unwrap_or_default()));
        url.set_username("").and_then(|()| url.set_password(None)).ok()?;
        Some(Self(format!("Basic {}", base64(&pair)).into()))
    }

    /// The field's value.
    pub(super) fn value(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Base64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let octet = |index: usize| u32::from(group.get(index).copied().unwrap_or_default());
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for position in 0..4 {
            if position <= group.len() {
                let digit = bits >> (18 - 6 * position) & 63;
                text.push(char::from(ALPHABET[digit as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vectors_of_rfc_4648_are_encoded() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn credentials_of_a_url_are_decoded_and_removed_from_it() {
        for (url, value) in [
            // The example of RFC 7617 §2.
            ("http://Aladdin:open%20sesame@a/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("http://user@a/", Some("Basic dXNlcjo=")),
            ("http://:x@a/", Some("Basic Ong=")),
            ("http://a/", None),
        ] {
            let mut parsed = Url::parse(url).unwrap();
            let found = Credentials::take_from(&mut parsed);
            assert_eq!(found.as_ref().map(Credentials::value), value, "{url}");
            assert_eq!(parsed.as_str(), "http://a/");
        }
    }
}
