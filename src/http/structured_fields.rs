//! Lists of structured field values (RFC 9651), as needed for the rate limit fields.
//!
//! All types of items are parsed, so that unknown parameters are skipped without an error, but only
//! strings, tokens and integers keep their values. Inner lists are refused. A syntax error anywhere makes
//! the whole field invalid (§4.2).

use super::syntax::is_token_byte;

/// A bare item (RFC 9651 §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BareItem {
    Integer(i64),
    /// A string or a token. Senders confuse them, because earlier drafts of the fields used tokens.
    Text(String),
    /// A decimal, byte sequence, boolean, date or display string.
    Other,
}

/// A bare item with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) value: BareItem,
    parameters: Vec<(Vec<u8>, BareItem)>,
}

impl Item {
    /// The value of the parameter with this name. If it is repeated, the last one counts (RFC 9651
    /// §4.2.3.2).
    pub(super) fn parameter(&self, name: &str) -> Option<&BareItem> {
        let mut latest_first = self.parameters.iter().rev();
        latest_first.find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value)
    }
}

/// Parses a list of items (RFC 9651 §4.2.1). Several field lines must be joined by commas first.
pub(super) fn parse_list(value: &[u8]) -> Option<Vec<Item>> {
    let mut cursor = Cursor { rest: value.trim_ascii() };
    let mut items = Vec::new();
    if cursor.rest.is_empty() {
        return Some(items);
    }
    loop {
        items.push(cursor.item()?);
        cursor.skip(|byte| matches!(byte, b' ' | b'\t'));
        if cursor.rest.is_empty() {
            return Some(items);
        }
        cursor.expect(b',')?;
        cursor.skip(|byte| matches!(byte, b' ' | b'\t'));
    }
}

/// The input that has not been parsed yet.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Takes bytes while `is_taken` is true.
    fn take(&mut self, is_taken: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !is_taken(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) {
        self.take(is_skipped);
    }

    fn item(&mut self) -> Option<Item> {
        let value = self.bare_item()?;
        let mut parameters = Vec::new();
        while self.peek() == Some(b';') {
            self.next();
            self.skip(|byte| byte == b' ');
            if !self.peek().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'*') {
                return None;
            }
            let is_key_byte =
                |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*');
            let key = self.take(is_key_byte).to_vec();
            let value = if self.peek() == Some(b'=') {
                self.next();
                self.bare_item()?
            } else {
                BareItem::Other // The boolean true.
            };
            parameters.push((key, value));
        }
        Some(Item { value, parameters })
    }

    fn bare_item(&mut self) -> Option<BareItem> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(BareItem::Text),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                let token = self.take(|byte| is_token_byte(byte) || matches!(byte, b':' | b'/'));
                Some(BareItem::Text(String::from_utf8_lossy(token).into_owned()))
            }
            b'?' => {
                self.next();
                matches!(self.next()?, b'0' | b'1').then_some(BareItem::Other)
            }
            b'@' => {
                self.next();
                matches!(self.number()?, BareItem::Integer(_)).then_some(BareItem::Other)
            }
            b':' => {
                self.next();
                let is_base64 =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
                self.skip(is_base64);
                self.expect(b':').map(|()| BareItem::Other)
            }
            b'%' => {
                self.next();
                self.expect(b'"')?;
                self.skip(|byte| matches!(byte, b' '..=b'~') && byte != b'"');
                self.expect(b'"').map(|()| BareItem::Other)
            }
            _ => None,
        }
    }

    /// An integer of at most 15 digits, or a decimal of at most 12 integer and 3 fractional digits
    /// (RFC 9651 §4.2.4).
    fn number(&mut self) -> Option<BareItem> {
        let is_negative = self.peek() == Some(b'-');
        if is_negative {
            self.next();
        }
        let digits = self.take(|byte| byte.is_ascii_digit());
        if self.peek() == Some(b'.') {
            self.next();
            let fraction = self.take(|byte| byte.is_ascii_digit());
            let is_decimal = matches!(digits.len(), 1..=12) && matches!(fraction.len(), 1..=3);
            return is_decimal.then_some(BareItem::Other);
        }
        if !matches!(digits.len(), 1..=15) {
            return None;
        }
        let magnitude = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        Some(BareItem::Integer(if is_negative { -magnitude } else { magnitude }))
    }

    /// A string of printable ASCII, in which only quotes and backslashes can be escaped (RFC 9651 §4.2.5).
    fn string(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                b'"' => return Some(text),
                b'\\' => match self.next()? {
                    escaped @ (b'"' | b'\\') => text.push(char::from(escaped)),
                    _ => return None,
                },
                plain @ b' '..=b'~' => text.push(char::from(plain)),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> BareItem {
        BareItem::Text(text.to_owned())
    }

    #[test]
    fn items_of_every_type_are_recognised() {
        for (value, expected) in [
            ("0", BareItem::Integer(0)),
            ("-0042", BareItem::Integer(-42)),
            ("999999999999999", BareItem::Integer(999_999_999_999_999)),
            ("-999999999999999", BareItem::Integer(-999_999_999_999_999)),
            ("1.5", BareItem::Other),
            ("-123456789012.123", BareItem::Other),
            (r#""""#, text("")),
            (r#""a, b; \"c\\""#, text(r#"a, b; "c\"#)),
            ("token", text("token")),
            ("*a/b:c", text("*a/b:c")),
            ("?1", BareItem::Other),
            (":aGVsbG8=:", BareItem::Other),
            ("@1659578233", BareItem::Other),
            ("%\"f%c3%bc\"", BareItem::Other),
        ] {
            let items = parse_list(value.as_bytes());
            assert_eq!(items, Some(vec![Item { value: expected, parameters: vec![] }]), "{value}");
        }
    }

    #[test]
    fn a_list_has_items_with_parameters() {
        let items = parse_list(b" \"a\";q=1;x;*y_-.0=\"z\" \t,\t b; q=2;q=3 ").unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].value, text("a"));
        assert_eq!(items[0].parameter("q"), Some(&BareItem::Integer(1)));
        assert_eq!(items[0].parameter("x"), Some(&BareItem::Other));
        assert_eq!(items[0].parameter("*y_-.0"), Some(&text("z")));
        assert_eq!(items[0].parameter("z"), None);
        assert_eq!(items[1].value, text("b"));
        assert_eq!(items[1].parameter("q"), Some(&BareItem::Integer(3)));
        assert_eq!(parse_list(b""), Some(vec![]));
        assert_eq!(parse_list(b"  "), Some(vec![]));
    }

    #[test]
    fn a_syntax_error_anywhere_makes_the_list_invalid() {
        for value in [
            ",",
            "a,",
            ",a",
            "a,,b",
            "a b",
            "a;",
            "a;Q=1",
            "a;1=1",
            "a;q=",
            "a;q =1",
            "a ;q=1",
            "-",
            "--1",
            "1000000000000000",
            "1.",
            "1.2345",
            "1234567890123.1",
            ".5",
            "\"a",
            "\"a\\",
            "\"a\\b\"",
            "\"\u{e9}\"",
            "\"a\tb\"",
            "?2",
            "?",
            "@",
            "@1.5",
            ":a",
            ":a b:",
            "%a",
            "%\"a",
            "(a b)",
            "=",
        ] {
            assert_eq!(parse_list(value.as_bytes()), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_list(&value);
        }

        #[test]
        fn any_text_of_the_grammar_is_read_without_panic(value in "[\"a;=1.,?@:%*\\\\ -]{0,24}") {
            let _ = parse_list(value.as_bytes());
        }
    }
}
