//! Escapes bytes and text from untrusted peers for logs, terminals, the status page and JSON.
//!
//! Escaped is everything that could end a line, change a terminal's state, or disguise a text: control
//! characters (C0 and C1), marks and overrides of writing direction, line and paragraph separators,
//! invisible characters, and unassigned code points. JSON uses its own escapes, so that its decoded value is
//! unchanged. Logs are ASCII with the escapes of nginx and Apache.

use std::fmt::{self, Write as _};
use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Whether a character is shown unescaped. Of whitespace, only the ASCII space is.
///
/// The standard library's [`str::escape_debug`] has the required Unicode properties.
#[must_use]
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    // `escape_debug` escapes a combining character only at the start of a text.
    let mut text = [b'.'; 5];
    let length = character.encode_utf8(&mut text[1..]).len();
    let text = str::from_utf8(&text[..=length]).expect("the bytes were just encoded as UTF-8");
    text.escape_debug().nth(1) == Some(character)
}

/// Displays bytes as ASCII: quotes and backslashes preceded by a backslash, unprintable bytes as `\xhh`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'b>(pub &'b [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let mut rest = self.0;
        while let Some(at) = rest.iter().position(|byte| !is_plain(byte)) {
            write_ascii(&rest[..at], f)?;
            match rest[at] {
                byte @ (b'"' | b'\\') => write!(f, "\\{}", char::from(byte))?,
                byte => write!(f, "\\x{byte:02x}")?,
            }
            rest = &rest[at + 1..];
        }
        write_ascii(rest, f)
    }
}

fn write_ascii(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(str::from_utf8(bytes).expect("printable bytes are ASCII"))
}

/// Replaces each unprintable character by `\u{hhhh}`.
#[must_use]
pub fn escape_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            escaped.push(character);
        } else {
            write!(escaped, "{}", character.escape_unicode())
                .expect("writing to a string does not fail");
        }
    }
    escaped
}

/// The whitespace in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonLayout {
    /// One line without spaces.
    Compact,
    /// One line for each value, indented.
    Indented,
    /// The same down to this depth of arrays and objects. Deeper ones are on the line of their parent.
    IndentedTo(usize),
}

/// Writes a value as JSON in printable characters, except for the line feeds of
/// [`JsonLayout::Indented`].
///
/// # Errors
/// The writer's.
pub fn write_json(
    value: &impl Serialize,
    layout: JsonLayout,
    out: impl io::Write,
) -> io::Result<()> {
    match layout {
        JsonLayout::Compact => {
            let format = PrintableJson(CompactFormatter);
            value.serialize(&mut Serializer::with_formatter(out, format))?;
        }
        JsonLayout::Indented => {
            let format = PrintableJson(PrettyFormatter::new());
            value.serialize(&mut Serializer::with_formatter(out, format))?;
        }
        JsonLayout::IndentedTo(most) => {
            let format = PrintableJson(IndentedTo {
                most,
                depth: 0,
                indented: PrettyFormatter::new(),
                compact: CompactFormatter,
            });
            value.serialize(&mut Serializer::with_formatter(out, format))?;
        }
    }
    Ok(())
}

/// The JSON of [`write_json`] as a string.
///
/// # Panics
/// If the value's `Serialize` fails. That of text and numbers does not.
#[must_use]
pub fn json(value: &impl Serialize, layout: JsonLayout) -> String {
    let mut out = Vec::new();
    write_json(value, layout, &mut out).expect("text and numbers can be written to memory");
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// Formats like `indented` down to a depth of arrays and objects, then like `compact`.
struct IndentedTo<'i> {
    most: usize,
    /// Arrays and objects that are not ended.
    depth: usize,
    indented: PrettyFormatter<'i>,
    compact: CompactFormatter,
}

/// Calls a method of the formatter for the current depth.
macro_rules! at_depth {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        if $self.depth <= $self.most {
            $self.indented.$method($($argument),*)
        } else {
            $self.compact.$method($($argument),*)
        }
    };
}

/// Methods that begin or end an array or object, or are called between the two.
macro_rules! by_depth {
    (begin $($begin:ident)*; end $($end:ident)*; inside $($inside:ident($($first:ident)?))*) => {
        $(fn $begin<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
            self.depth += 1;
            at_depth!(self.$begin(writer))
        })*
        $(fn $end<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
            let result = at_depth!(self.$end(writer));
            self.depth -= 1;
            result
        })*
        $(fn $inside<W: ?Sized + io::Write>(
            &mut self,
            writer: &mut W,
            $($first: bool)?
        ) -> io::Result<()> {
            at_depth!(self.$inside(writer $(, $first)?))
        })*
    };
}

impl Formatter for IndentedTo<'_> {
    by_depth! {
        begin begin_array begin_object;
        end end_array end_object;
        inside begin_array_value(first) end_array_value() begin_object_key(first) end_object_key()
        begin_object_value() end_object_value()
    }
}

/// Formats like `F`, but escapes unprintable characters in strings.
struct PrintableJson<F>(F);

/// Delegates methods to `F`.
macro_rules! delegate {
    ($($method:ident($($first:ident)?))*) => {$(
        fn $method<W: ?Sized + io::Write>(
            &mut self,
            writer: &mut W,
            $($first: bool)?
        ) -> io::Result<()> {
            self.0.$method(writer, $($first)?)
        }
    )*};
}

impl<F: Formatter> Formatter for PrintableJson<F> {
    delegate! {
        begin_array() begin_array_value(first) end_array_value() end_array()
        begin_object() begin_object_key(first) end_object_key()
        begin_object_value() end_object_value() end_object()
    }

    /// JSON itself requires escapes only for quotes, backslashes and the ASCII control characters.
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, c)| !is_printable(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Characters that control a terminal, change the writing direction, end lines, or are invisible.
    const RISKY: &str = "\0\u{1}\t\n\r\u{1b}\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{a0}\u{ad}\u{61c}\u{180e}\
        \u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
        \u{2060}\u{2061}\u{2064}\u{2066}\u{2067}\u{2068}\u{2069}\u{206a}\u{206f}\u{3000}\u{e000}\u{feff}\
        \u{fff9}\u{fffb}\u{ffff}\u{1d173}\u{e0001}\u{e0041}\u{e01f0}\u{f0000}\u{10ffff}";

    #[test]
    fn invisible_and_misleading_characters_are_not_printable() {
        for character in RISKY.chars() {
            assert!(!is_printable(character), "{character:?}");
        }
        for character in " ~\"\\'aäñ\u{301}ßЖ中文한עبไ\u{e31}€→☃\u{fffd}😀𝄞".chars()
        {
            assert!(is_printable(character), "{character:?}");
        }
    }

    #[test]
    fn bytes_become_ascii() {
        for (bytes, expected) in [
            (
                &b"a\"b\\c\nd\re\t\0\x1b[2J\x7f\xff ~'"[..],
                r#"a\"b\\c\x0ad\x0de\x09\x00\x1b[2J\x7f\xff ~'"#,
            ),
            ("ä\u{202e}\u{2028}".as_bytes(), r"\xc3\xa4\xe2\x80\xae\xe2\x80\xa8"),
            (b"", ""),
        ] {
            assert_eq!(Escaped(bytes).to_string(), expected);
        }
    }

    #[test]
    fn json_has_the_layouts_of_serde_json() {
        let value = json!({ "a": [1, [], {}, ["x", null]], "b": { "c": { "d": true } } });
        assert_eq!(json(&value, JsonLayout::Compact), value.to_string());
        assert_eq!(json(&value, JsonLayout::Indented), format!("{value:#}"));
        assert_eq!(json(&value, JsonLayout::IndentedTo(usize::MAX)), format!("{value:#}"));
        assert_eq!(json(&value, JsonLayout::IndentedTo(0)), value.to_string());
        let one_level = r#"{
  "a": [1,[],{},["x",null]],
  "b": {"c":{"d":true}}
}"#;
        assert_eq!(json(&value, JsonLayout::IndentedTo(1)), one_level);
    }

    #[test]
    fn text_keeps_its_printable_characters() {
        assert_eq!(escape_text("a\"\\ü\u{202e}\n\u{9b}😀"), "a\"\\ü\\u{202e}\\u{a}\\u{9b}😀");
    }

    proptest! {
        #[test]
        fn no_text_is_changed_by_json_and_none_of_it_is_unprintable(text: String) {
            let text = text + RISKY;
            let value = json!({ &text: [&text, &text, {}], "": { "": [], "n": 1.5 } });
            let compact = json(&value, JsonLayout::Compact);
            prop_assert!(compact.chars().all(is_printable), "{compact:?}");
            prop_assert_eq!(&serde_json::from_str::<Value>(&compact).unwrap(), &value);
            let indented = json(&value, JsonLayout::Indented);
            prop_assert!(indented.chars().all(|c| c == '\n' || is_printable(c)), "{indented:?}");
            prop_assert_eq!(&serde_json::from_str::<Value>(&indented).unwrap(), &value);
        }

        #[test]
        fn escaped_bytes_are_unambiguous(bytes: Vec<u8>) {
            let escaped = Escaped(&bytes).to_string();
            prop_assert!(escaped.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            // Decode it as a log reader does.
            let mut read = Vec::new();
            let mut rest = escaped.bytes();
            while let Some(byte) = rest.next() {
                read.push(match byte {
                    b'\\' => match rest.next().unwrap() {
                        b'x' => {
                            let digits = [rest.next().unwrap(), rest.next().unwrap()];
                            u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                        }
                        byte => byte,
                    },
                    b'"' => panic!("a quote without a backslash: {escaped}"),
                    byte => byte,
                });
            }
            prop_assert_eq!(read, bytes);
        }
    }
}
