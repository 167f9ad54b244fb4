//! The fields that the user adds to every request (RFC 9110 §5.1, §5.5).

use std::fmt;

use thiserror::Error;

use crate::http::{FieldLine, FieldLineError};

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
    /// It is not a valid field line.
    #[error(transparent)]
    Line(#[from] FieldLineError),
    /// The client sets this field itself.
    #[error("the client sets this field itself")]
    Own,
}

impl RequestFields {
    /// Adds `Name: value`, which replaces the client's field of that name.
    ///
    /// # Errors
    /// If it is not a field, or is one that the client sets itself.
    pub fn add(&mut self, field: &str) -> Result<(), FieldError> {
        self.add_line(FieldLine::parse(field)?)
    }

    /// Sets `User-Agent` (RFC 9110 §10.1.5).
    ///
    /// # Errors
    /// If there is a control character in the value.
    pub fn set_user_agent(&mut self, value: &str) -> Result<(), FieldError> {
        self.added.retain(|(name, _)| !name.eq_ignore_ascii_case("User-Agent"));
        self.add_line(FieldLine::new("User-Agent", value)?)
    }

    fn add_line(&mut self, line: FieldLine<'_>) -> Result<(), FieldError> {
        if line.is_one_of(&OWN) {
            return Err(FieldError::Own);
        }
        self.added.push((line.name.to_owned(), line.value.to_owned()));
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
            ("Accept-Language en", FieldLineError::NoColon.into()),
            (": x", FieldLineError::Name.into()),
            ("A B: x", FieldLineError::Name.into()),
            ("A: x\r\nB: y", FieldLineError::Value.into()),
            ("range: bytes=0-", FieldError::Own),
            ("Accept-Encoding: gzip", FieldError::Own),
        ] {
            assert_eq!(RequestFields::default().add(field), Err(error), "{field:?}");
        }
    }
}
