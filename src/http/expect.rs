//! Expectations of a request: `Expect: 100-continue` (RFC 9110 §10.1.1).

use super::error::RequestError;
use super::fields::Fields;
use super::version::Version;

/// Whether the client waits for `100 Continue` before it sends the content (RFC 9110 §10.1.1). False for
/// HTTP/1.0, in which `Expect` is ignored.
///
/// # Errors
/// [`RequestError::Expectation`] for any other expectation.
pub fn expects_continue(version: Version, fields: &Fields<'_>) -> Result<bool, RequestError> {
    if version == Version::Http10 {
        return Ok(false);
    }
    let mut expected = false;
    for value in fields.tokens("Expect") {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(RequestError::Expectation);
        }
        expected = true;
    }
    Ok(expected)
}

#[cfg(test)]
mod tests {
    use super::super::test_fields::with_fields;
    use super::*;

    #[test]
    fn only_100_continue_is_expected() {
        use RequestError::Expectation;
        for (version, fields, expected) in [
            (Version::Http11, &[][..], Ok(false)),
            (Version::Http11, &["Expect: 100-continue"], Ok(true)),
            (Version::Http11, &["Expect: 100-Continue"], Ok(true)),
            (Version::Http11, &["Expect: 200-ok"], Err(Expectation)),
            (Version::Http11, &["Expect: 100-continue, x"], Err(Expectation)),
            (Version::Http10, &["Expect: 100-continue"], Ok(false)),
        ] {
            let found = with_fields(fields, |fields| expects_continue(version, fields));
            assert_eq!(found, expected, "{version:?} {fields:?}");
        }
    }
}
