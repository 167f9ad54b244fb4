//! The syntax of parameters in fields (RFC 9110 §5.6.4, §5.6.6): separators, `name=value`, and quoted
//! strings.

use std::borrow::Cow;

use super::syntax::trim_whitespace;

/// Splits at separators outside of quoted strings. The pieces are trimmed; empty pieces are omitted. An
/// unterminated quoted string extends to the end.
pub(super) fn split(bytes: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let is_separator = move |byte: &u8| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match byte {
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        *byte == separator && !is_quoted
    };
    bytes.split(is_separator).map(trim_whitespace).filter(|piece| !piece.is_empty())
}

/// Splits `name=value`, without unquoting the value. Whitespace around the `=` is accepted and removed,
/// although senders must not send it (RFC 9110 §5.6.3, §5.6.6).
pub(super) fn name_and_value(piece: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = piece.iter().position(|byte| *byte == b'=')?;
    Some((trim_whitespace(&piece[..equals]), trim_whitespace(&piece[equals + 1..])))
}

/// The content of a quoted string without quotes and escapes. A value that does not begin with a quote
/// is returned unchanged. `None` if the quoted string does not end at the end of the value.
pub(super) fn unquote(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(inner) = value.strip_prefix(b"\"") else { return Some(Cow::Borrowed(value)) };
    let mut content = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return bytes.as_slice().is_empty().then_some(Cow::Owned(content)),
            b'\\' => content.push(*bytes.next()?),
            _ => content.push(byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn separators_within_quotes_separate_nothing() {
        for (text, expected) in [
            ("a, b ,\tc", &["a", "b", "c"][..]),
            (",,a,, ", &["a"]),
            (r#"a="b,c",d"#, &[r#"a="b,c""#, "d"]),
            (r#"a="b\",c",d"#, &[r#"a="b\",c""#, "d"]),
            (r#"a="b\\",d"#, &[r#"a="b\\""#, "d"]),
            (r#"a\",b",d"#, &[r#"a\",b""#, "d"]),
            (r#"a="b,c"#, &[r#"a="b,c"#]),
            ("", &[]),
        ] {
            let pieces: Vec<_> = split(text.as_bytes(), b',').collect();
            let expected: Vec<_> = expected.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!(pieces, expected, "{text}");
        }
    }

    #[test]
    fn a_parameter_has_a_name_and_a_value() {
        for (piece, expected) in [
            ("a=b", Some(("a", "b"))),
            ("a = b", Some(("a", "b"))),
            ("a=", Some(("a", ""))),
            ("=b", Some(("", "b"))),
            ("a=b=c", Some(("a", "b=c"))),
            ("a", None),
        ] {
            let expected = expected.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert_eq!(name_and_value(piece.as_bytes()), expected, "{piece}");
        }
    }

    #[test]
    fn quotes_and_escapes_are_taken_away() {
        for (value, expected) in [
            ("token", Some("token")),
            ("", Some("")),
            (r#""""#, Some("")),
            (r#""a b""#, Some("a b")),
            (r#""a\"b\\c\d""#, Some(r#"a"b\cd"#)),
            (r#"""#, None),
            (r#""a"#, None),
            (r#""a\""#, None),
            (r#""a\"#, None),
            (r#""a"b"#, None),
        ] {
            let content = unquote(value.as_bytes());
            assert_eq!(content.as_deref(), expected.map(str::as_bytes), "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = split(&value, b',').count();
            let _ = name_and_value(&value);
            let _ = unquote(&value);
        }

        #[test]
        fn any_quoted_string_is_unquoted(content in "[ -~]{0,20}") {
            let quoted = format!("\"{}\"", content.replace('\\', r"\\").replace('"', "\\\""));
            let unquoted = unquote(quoted.as_bytes());
            prop_assert_eq!(unquoted.as_deref(), Some(content.as_bytes()));
            prop_assert_eq!(split(quoted.as_bytes(), b',').collect::<Vec<_>>(), [quoted.as_bytes()]);
        }
    }
}
