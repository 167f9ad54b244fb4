//! The `Basic` scheme of authentication (RFC 7617), as a server needs it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A user name and a password, as a client sent them. `Debug` does not write them.
#[derive(PartialEq, Eq)]
pub struct BasicCredentials {
    pub user: String,
    pub password: Vec<u8>,
}

impl BasicCredentials {
    /// Parses the value of an `Authorization` field. `None` for other schemes, and for credentials that cannot
    /// be right: user names that are not UTF-8, and control characters, which neither part may have (RFC 7617
    /// §2).
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let space = value.iter().position(|byte| *byte == b' ')?;
        let (scheme, rest) = value.split_at(space);
        if !scheme.eq_ignore_ascii_case(b"Basic") {
            return None;
        }
        let mut user = STANDARD.decode(rest.trim_ascii()).ok()?;
        if user.iter().any(u8::is_ascii_control) {
            return None;
        }
        // A user name has no colon, a password may have some.
        let colon = user.iter().position(|byte| *byte == b':')?;
        let password = user.split_off(colon + 1);
        user.pop();
        Some(Self { user: String::from_utf8(user).ok()?, password })
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BasicCredentials(..)")
    }
}

/// The value of `WWW-Authenticate` that asks for a user name and a password in UTF-8 (RFC 7617 §2.1). `realm`
/// is ASCII without control characters.
#[must_use]
pub fn basic_challenge(realm: &str) -> String {
    let realm = realm.replace('\\', r"\\").replace('"', r#"\""#);
    format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_decoded_and_split_at_the_first_colon() {
        for (value, expected) in [
            // The examples of RFC 7617.
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(("Aladdin", "open sesame"))),
            ("Basic dGVzdDoxMjPCow==", Some(("test", "123\u{a3}"))),
            ("basic dGVzdDoxMjPCow==", Some(("test", "123\u{a3}"))),
            ("BASIC   dGVzdDoxMjPCow==  ", Some(("test", "123\u{a3}"))),
            // "a:b:c", ":", "a:", ":b"
            ("Basic YTpiOmM=", Some(("a", "b:c"))),
            ("Basic Og==", Some(("", ""))),
            ("Basic YTo=", Some(("a", ""))),
            ("Basic OmI=", Some(("", "b"))),
            ("Basic", None),
            ("Basic ", None),
            ("", None),
            ("Bearer YTpi", None),
            ("BasicYTpi", None),
            ("Basic\tYTpi", None),
            // No colon.
            ("Basic YWI=", None),
            // No padding, a character that is not of the alphabet, two values, bits that are left over.
            ("Basic YTo", None),
            ("Basic YT!=", None),
            ("Basic YTpi YTpi", None),
            ("Basic YTp=", None),
            // "a:\n", "\x7f:b", "a\0:b"
            ("Basic YToK", None),
            ("Basic fzpi", None),
            ("Basic YQA6Yg==", None),
            // The user name is not UTF-8: "\xe4:b".
            ("Basic 5Dpi", None),
        ] {
            let found = BasicCredentials::parse(value.as_bytes());
            let expected = expected.map(|(user, password)| BasicCredentials {
                user: user.to_owned(),
                password: password.as_bytes().to_vec(),
            });
            assert!(found == expected, "{value}");
        }
        // A password of Latin-1 is not changed: "a:\xe4".
        assert_eq!(BasicCredentials::parse(b"Basic YTrk").unwrap().password, b"\xe4");
    }

    #[test]
    fn credentials_are_not_written_to_logs() {
        let credentials = BasicCredentials::parse(b"Basic YTpi").unwrap();
        assert_eq!(format!("{credentials:?}"), "BasicCredentials(..)");
    }

    #[test]
    fn a_challenge_quotes_its_realm() {
        for (realm, expected) in [
            ("files", r#"Basic realm="files", charset="UTF-8""#),
            (r#"a "b" \c"#, r#"Basic realm="a \"b\" \\c", charset="UTF-8""#),
            ("", r#"Basic realm="", charset="UTF-8""#),
        ] {
            assert_eq!(basic_challenge(realm), expected);
        }
    }
}
