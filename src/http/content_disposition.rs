//! `Content-Disposition` (RFC 6266): the file name that a server suggests.
//!
//! Parses and writes the field, with its two character encodings. A name is returned as sent, including
//! slashes: the caller must make it safe for the file system.

use percent_encoding::percent_decode;

use super::parameters;
use super::percent::{encode_segment, is_percent_encoded};

/// The value that suggests to save the content as `name`, which must not be empty.
///
/// A name that `filename` cannot have is given as `filename*` as well (RFC 6266 §4.3). `filename` then has
/// `_` for each such character, for clients that know only that one. A `%` is one of them: some clients
/// decode it (RFC 6266, appendix D).
#[must_use]
pub fn attachment(name: &str) -> String {
    let is_plain = |character| matches!(character, ' '..='~') && !"\"\\%".contains(character);
    if name.chars().all(is_plain) {
        return format!("attachment; filename=\"{name}\"");
    }
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let extended = encode_segment(name.as_bytes());
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}")
}

/// The suggested file name: `filename*` if it can be decoded, otherwise `filename` (RFC 6266 §4.3).
/// `None` if there is neither or the name is empty.
///
/// The disposition type is ignored, because the user has already decided to save the file. `filename` is
/// read as UTF-8, which most servers send today, or as ISO-8859-1 if it is not valid UTF-8.
#[must_use]
pub fn suggested_name(value: &[u8]) -> Option<String> {
    let values_of = |wanted: &'static str| {
        parameters::split(value, b';')
            .filter_map(parameters::name_and_value)
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
            // Quotes around an extended value are a common, harmless error.
            .filter_map(|(_, value)| parameters::unquote(value))
    };
    let extended = values_of("filename*").find_map(|value| decode_extended(&value));
    let name = extended.or_else(|| {
        values_of("filename").find(|value| !value.is_empty()).map(|value| utf8_or_latin1(&value))
    });
    name.filter(|name| !name.is_empty())
}

/// Decodes `charset'language'value` (RFC 8187 §3.2.1) with the charset UTF-8 or ISO-8859-1 (RFC 5987).
/// `None` for another charset, octets invalid in the charset, or a `%` without two digits. A stray `%`
/// shows that the sender encoded nothing; `filename` is then the better choice.
fn decode_extended(value: &[u8]) -> Option<String> {
    let mut sections = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, encoded) = (sections.next()?, sections.next()?, sections.next()?);
    if encoded.is_empty() || !is_percent_encoded(encoded) {
        return None;
    }
    let octets: Vec<u8> = percent_decode(encoded).collect();
    if charset.eq_ignore_ascii_case(b"UTF-8") {
        String::from_utf8(octets).ok()
    } else if charset.eq_ignore_ascii_case(b"ISO-8859-1") {
        Some(latin1(&octets))
    } else {
        None
    }
}

fn utf8_or_latin1(octets: &[u8]) -> String {
    str::from_utf8(octets).map_or_else(|_| latin1(octets), str::to_owned)
}

/// ISO-8859-1 is the first 256 characters of Unicode.
fn latin1(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_name_is_decoded() {
        for (value, expected) in [
            // filename
            (&b"attachment; filename=report.pdf"[..], Some("report.pdf")),
            (b"Attachment; FileName=\"report.pdf\"", Some("report.pdf")),
            (b"inline;filename=\"a; b, c.txt\"", Some("a; b, c.txt")),
            (b"attachment; filename=\"a\\\"b\\\\c.txt\"", Some("a\"b\\c.txt")),
            (b"attachment; filename = \"a.txt\" ; size=5", Some("a.txt")),
            (b"attachment; filename=a b.txt", Some("a b.txt")),
            (b"attachment; filename=\"50%25.txt\"", Some("50%25.txt")),
            (b"attachment; filename=\"na\xc3\xafve.txt\"", Some("na\u{ef}ve.txt")),
            (b"attachment; filename=\"na\xefve.txt\"", Some("na\u{ef}ve.txt")),
            (b"filename=a.txt", Some("a.txt")),
            (b"attachment; filename=a.txt; filename=b.txt", Some("a.txt")),
            (b"attachment; filename=\"../../etc/passwd\"", Some("../../etc/passwd")),
            // filename*
            (b"attachment; filename*=UTF-8''%e2%82%ac%20rates.txt", Some("\u{20ac} rates.txt")),
            (b"attachment; filename*=utf-8'en'a.txt", Some("a.txt")),
            (b"attachment; filename*=iso-8859-1'en'%A3%20rates", Some("\u{a3} rates")),
            (b"attachment; filename*=\"UTF-8''a.txt\"", Some("a.txt")),
            (b"attachment; filename*=UTF-8''it's.txt", Some("it's.txt")),
            (
                b"attachment; filename=\"EURO.txt\"; filename*=UTF-8''%E2%82%AC.txt",
                Some("\u{20ac}.txt"),
            ),
            (
                b"attachment; filename*=UTF-8''%E2%82%AC.txt; filename=\"EURO.txt\"",
                Some("\u{20ac}.txt"),
            ),
            // An unreadable filename* yields to filename.
            (b"attachment; filename*=UTF-8''%E2%82.txt; filename=a.txt", Some("a.txt")),
            (b"attachment; filename*=UTF-8''%4; filename=a.txt", Some("a.txt")),
            (b"attachment; filename*=UTF-8''%zz; filename=a.txt", Some("a.txt")),
            (b"attachment; filename*=UTF-8''%+1; filename=a.txt", Some("a.txt")),
            (b"attachment; filename*=UTF-8''; filename=a.txt", Some("a.txt")),
            (b"attachment; filename*=UTF-8'a.txt; filename=b.txt", Some("b.txt")),
            (b"attachment; filename*=a.txt; filename=b.txt", Some("b.txt")),
            (b"attachment; filename*=KOI8-R''%C1; filename=a.txt", Some("a.txt")),
            (b"attachment; filename*=KOI8-R''%C1; filename*=UTF-8''a.txt", Some("a.txt")),
            // No name.
            (b"attachment", None),
            (b"attachment; filename=", None),
            (b"attachment; filename=\"\"", None),
            (b"attachment; filename=\"a.txt", None),
            (b"attachment; filename*=UTF-8''%", None),
            (b"attachment; filename*0=\"a\"; filename*1=\".txt\"", None),
            (b"attachment; note=\"; filename=a.txt\"", None),
            (b"attachment; name=a.txt", None),
            (b"filename", None),
            (b"", None),
        ] {
            assert_eq!(suggested_name(value).as_deref(), expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn a_name_is_written_plainly_if_it_can_be() {
        for (name, expected) in [
            ("docs.tar", "attachment; filename=\"docs.tar\""),
            ("a b;c='d'.tar", "attachment; filename=\"a b;c='d'.tar\""),
            ("na\u{ef}ve", "attachment; filename=\"na_ve\"; filename*=UTF-8''na%C3%AFve"),
            ("50%41", "attachment; filename=\"50_41\"; filename*=UTF-8''50%2541"),
            ("a\"b\\c", "attachment; filename=\"a_b_c\"; filename*=UTF-8''a%22b%5Cc"),
            ("a\r\nb", "attachment; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab"),
        ] {
            assert_eq!(attachment(name), expected);
        }
    }

    proptest! {
        #[test]
        fn any_name_is_read_as_it_was_written(name in "(?s).{1,12}") {
            let written = attachment(&name);
            prop_assert!(written.is_ascii());
            prop_assert_eq!(suggested_name(written.as_bytes()), Some(name));
        }

        #[test]
        fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..40)) {
            for start in [&b""[..], b"attachment; filename=", b"attachment; filename*=UTF-8''"] {
                prop_assert_ne!(suggested_name(&[start, &value].concat()), Some(String::new()));
            }
        }

        #[test]
        fn any_name_survives_either_form(name in "\\PC{1,12}") {
            let encoded: Vec<_> = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let value = format!("attachment; filename*=UTF-8''{}", encoded.concat());
            let read = suggested_name(value.as_bytes());
            prop_assert_eq!(read.as_deref(), Some(&*name));
            let quoted = name.replace('\\', r"\\").replace('"', "\\\"");
            let read = suggested_name(format!("attachment; filename=\"{quoted}\"").as_bytes());
            prop_assert_eq!(read.as_deref(), Some(&*name));
        }
    }
}
