//! The fields that the user adds to every request (RFC 9110 §5.1, §5.5).

use std::fmt;

use thiserror::Error;

use crate::http::{is_field_value, is_token_byte};

/// What the client decides itself.
const OWN: [&str; 8] = [
    "Accept-Encoding",
    "Connection",
    "Content-Length",
    "If-Range",
    "Proxy-Authorization",
    "Range",
    "TE",
    "Transfer-Encoding",
];

/// The fields that the user adds; by default there are none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestFields {
    pub(crate) added: Vec<(String, String)>,
}

/// The names alone: any value may be a secret.
impl fmt::Debug for RequestFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.added.iter().map(|(name, _)| name)).finish()
    }
}

/// Why a field cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// No colon between a name and a value.
    #[error("there is no colon in it, as in \"Accept-Language: en\"")]
    NoColon,
    /// The name is not a token (RFC 9110 §5.1).
    #[error("what is before the colon is no field name")]
    Name,
    /// A control character in the value (RFC 9110 §5.5).
    #[error("there is a control character in its value")]
    Value,
    /// A field that the client sets itself.
    #[error("the client sets this field itself")]
    Own,
}

impl RequestFields {
    /// Adds `Name: value`, which replaces what the client says under that name.
    ///
    /// # Errors
    /// It is no field, or one of the client's own.
    pub fn add(&mut self, field: &str) -> Result<(), FieldError> {
        let (name, value) = field.split_once(':').ok_or(FieldError::NoColon)?;
        self.add_pair(name, value)
    }

    /// Says another name of the program.
    ///
    /// # Errors
    /// A control character is in it.
    pub fn set_user_agent(&mut self, value: &str) -> Result<(), FieldError> {
        self.added.retain(|(name, _)| !name.eq_ignore_ascii_case("User-Agent"));
        self.add_pair("User-Agent", value)
    }

    fn add_pair(&mut self, name: &str, value: &str) -> Result<(), FieldError> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(FieldError::Name);
        }
        if !is_field_value(value.as_bytes()) {
            return Err(FieldError::Value);
        }
        if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(FieldError::Own);
        }
        self.added.push((name.to_owned(), value.trim().to_owned()));
        Ok(())
    }

    pub(crate) fn has(&self, wanted: &str) -> bool {
        self.added.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_field_or_not_the_users_is_refused() {
        for (field, error) in [
            ("Accept-Language en", FieldError::NoColon),
            (": x", FieldError::Name),
            ("A B: x", FieldError::Name),
            ("A: x\r\nB: y", FieldError::Value),
            ("range: bytes=0-", FieldError::Own),
            ("Accept-Encoding: gzip", FieldError::Own),
        ] {
            assert_eq!(RequestFields::default().add(field), Err(error), "{field:?}");
        }
    }
}
