//! A user name and a password for the `Basic` scheme (RFC 7617). `Debug` does not write them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
        Some(Self(format!("Basic {}", STANDARD.encode(&pair)).into()))
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

#[cfg(test)]
mod tests {
    use super::*;

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
