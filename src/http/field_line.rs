//! Parses a field that a user has written as `Name: value`.
//!
//! The fields of received messages are parsed in `fields` and `response_head`.

use thiserror::Error;

use super::syntax::{is_field_value, is_token_byte};

/// A field line that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLine<'t> {
    pub name: &'t str,
    /// The value without surrounding whitespace.
    pub value: &'t str,
}

/// Why a text is not a field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FieldLineError {
    /// There is no colon.
    #[error("there is no colon: write it as 'Name: value'")]
    NoColon,
    /// The name is not a token (RFC 9110 §5.1).
    #[error("the name before the colon is not a field name")]
    Name,
    /// The value contains a control character (RFC 9110 §5.5).
    #[error("the value has a control character")]
    Value,
}

impl<'t> FieldLine<'t> {
    /// Parses `Name: value`.
    ///
    /// # Errors
    /// The text is not a field line.
    pub fn parse(text: &'t str) -> Result<Self, FieldLineError> {
        let (name, value) = text.split_once(':').ok_or(FieldLineError::NoColon)?;
        Self::new(name, value)
    }

    /// Checks a name and a value.
    ///
    /// # Errors
    /// One of them is invalid.
    pub fn new(name: &'t str, value: &'t str) -> Result<Self, FieldLineError> {
        let value = value.trim_matches([' ', '\t']);
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(FieldLineError::Name);
        }
        if !is_field_value(value.as_bytes()) {
            return Err(FieldLineError::Value);
        }
        Ok(Self { name, value })
    }

    /// Whether the name is one of `names`, ignoring case.
    #[must_use]
    pub fn is_one_of(&self, names: &[&str]) -> bool {
        names.iter().any(|name| name.eq_ignore_ascii_case(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_line_has_a_name_and_a_value() {
        use FieldLineError::{Name, NoColon, Value};
        for (text, expected) in [
            ("A: b", Ok(("A", "b"))),
            ("a-b:c", Ok(("a-b", "c"))),
            ("A: \tb: c \t", Ok(("A", "b: c"))),
            ("A:", Ok(("A", ""))),
            ("A: \u{e9}", Ok(("A", "\u{e9}"))),
            ("no colon", Err(NoColon)),
            ("", Err(NoColon)),
            (": b", Err(Name)),
            ("A : b", Err(Name)),
            ("a b: c", Err(Name)),
            ("A: b\r\nC: d", Err(Value)),
            ("A: b\n", Err(Value)),
            ("A: \u{7f}", Err(Value)),
        ] {
            let line = FieldLine::parse(text).map(|line| (line.name, line.value));
            assert_eq!(line, expected, "{text:?}");
        }
        let line = FieldLine::parse("rANGE: x").unwrap();
        assert!(line.is_one_of(&["Host", "Range"]) && !line.is_one_of(&["Ranges", ""]));
    }
}
