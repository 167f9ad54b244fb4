//! The lexical rules that fields share (RFC 9110 §5.5, §5.6).

use std::ops::Range;

/// Strips the optional white space of RFC 9110 §5.6.3: spaces and tabs alone.
#[must_use]
pub fn trim_whitespace(bytes: &[u8]) -> &[u8] {
    &bytes[trimmed(bytes)]
}

/// The same as a range within `bytes`.
pub(super) fn trimmed(bytes: &[u8]) -> Range<usize> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    start..end
}

/// Whether a byte may stand in a token, such as a method or a field name (RFC 9110 §5.6.2).
#[must_use]
pub const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
        | b'`' | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Whether a value may be sent as it is (RFC 9110 §5.5).
#[must_use]
pub fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|byte| is_field_value_byte(*byte))
}

/// Whether a byte may be part of a field value (RFC 9110 §5.5): visible ASCII, space, tab, 0x80 and above.
pub(super) const fn is_field_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// A decimal number of digits alone, as every length and position in HTTP is written: no sign, no
/// white space, and `None` beyond 64 bits.
#[must_use]
pub fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_make_a_number() {
        for (text, value) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("+5", None),
            ("-5", None),
            (" 5", None),
            ("5 ", None),
            ("0x5", None),
            ("5,6", None),
        ] {
            assert_eq!(parse_decimal(text.as_bytes()), value, "{text:?}");
        }
    }
}
