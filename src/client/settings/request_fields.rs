//! The fields that the user adds to every request (RFC 9110 §5.1, §5.5).

use std::fmt;

use thiserror::Error;

use crate::http::{is_field_value, is_token_byte};

/// The fields that the client sets itself.
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

/// The fields that the user adds; none by default.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestFields {
    pub(crate) added: Vec<(String, String)>,
}

/// Writes the names alone: any value may be a secret.
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
    /// Adds `Name: value`, which replaces the client's field of that name.
    ///
    /// # Errors
    /// If it is not a field, or is one that the client sets itself.
    pub fn add(&mut self, field: &str) -> Result<(), FieldError> {
        let (name, value) = field.split_once(':').ok_or(FieldError::NoColon)?;
        self.add_pair(name, value)
    }

    /// Sets `User-Agent` (RFC 9110 §10.1.5).
    ///
    /// # Errors
    /// If there is a control character in the value.
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
    fn malformed_fields_and_those_of_the_client_are_refused() {
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
