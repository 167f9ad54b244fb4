//! The file name that a URL asks for: decoded for people, and safe whatever the URL holds.
//!
//! A name comes from outside, so it may not leave its directory, hide what it is, or be longer than a
//! file system takes. Which of several equal names a URL gets is settled by `job`.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// Longest name in bytes: what a file system takes (255), less some room for the suffixes that the
/// client adds while a file is not complete.
pub const MAX_NAME_BYTES: usize = 240;

/// Longest extension that is kept when a name is shortened, its dot included.
const MAX_EXTENSION_BYTES: usize = 17;

/// The name where a URL has none: its path ends with a slash.
const INDEX: &str = "index.html";

/// The name of a URL's file: its last path segment, percent-decoded as far as that is safe.
pub(super) fn of(url: &Url) -> String {
    match url.path_segments().and_then(|mut segments| segments.next_back()) {
        None | Some("") => INDEX.to_owned(),
        Some(segment) => numbered(&decode(segment), 0),
    }
}

/// The `number`th name like this one: `a.txt`, `a.1.txt`, `a.2.txt`, no longer than
/// [`MAX_NAME_BYTES`].
pub(super) fn numbered(name: &str, number: usize) -> String {
    let (stem, extension) = split_extension(name);
    let suffix = if number == 0 { String::new() } else { format!(".{number}") };
    let mut length = stem.len().min(MAX_NAME_BYTES - suffix.len() - extension.len());
    while !stem.is_char_boundary(length) {
        length -= 1;
    }
    format!("{}{suffix}{extension}", &stem[..length])
}

/// Decodes what can be read and written as it is. Separators and characters that show as something
/// else, or not at all, stay percent-encoded, and so does all of a segment that is not UTF-8.
fn decode(segment: &str) -> String {
    let Ok(decoded) = percent_decode_str(segment).decode_utf8() else { return segment.to_owned() };
    if matches!(&*decoded, "." | "..") {
        return utf8_percent_encode(&decoded, NON_ALPHANUMERIC).to_string();
    }
    let mut name = String::with_capacity(decoded.len());
    for character in decoded.chars() {
        if is_safe(character) {
            name.push(character);
        } else {
            name.extend(utf8_percent_encode(character.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC));
        }
    }
    name
}

/// No separator, no control character, and none of those that turn the direction of the text, with
/// which `exe.txt` can be made of `txt.exe`.
fn is_safe(character: char) -> bool {
    !matches!(character, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        && !character.is_control()
}

/// The extension with its dot; empty for names without one, such as `.profile`.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= MAX_EXTENSION_BYTES => name.split_at(at),
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_segment_decoded_and_safe() {
        for (path, expected) in [
            ("/file1.txt", "file1.txt"),
            ("/a/b/c.tar.gz?x=/y#/z", "c.tar.gz"),
            ("", "index.html"),
            ("/", "index.html"),
            ("/dir/", "index.html"),
            ("/dir/?file=x.txt", "index.html"),
            ("/a%20b.txt", "a b.txt"),
            ("/gr%C3%BC%C3%9Fe.txt", "grüße.txt"),
            ("/grüße.txt", "grüße.txt"),
            ("/caf%E9.txt", "caf%E9.txt"),
            ("/100%.txt", "100%.txt"),
            ("/%zz", "%zz"),
            ("/..%2F..%2Fetc%2fpasswd", "..%2F..%2Fetc%2Fpasswd"),
            ("/..%5C..%5cwin.ini", "..%5C..%5Cwin.ini"),
            ("/a\\b.txt", "b.txt"),
            ("/a%00b", "a%00b"),
            ("/a%0d%0Ab%1b[2J%7f", "a%0D%0Ab%1B[2J%7F"),
            ("/a%C2%9Bb", "a%C2%9Bb"),
            ("/a%E2%80%AEtxt.exe", "a%E2%80%AEtxt.exe"),
            ("/%2e%2e", "index.html"),
            ("/x/%2E", "index.html"),
            ("/.profile", ".profile"),
            ("/...", "..."),
        ] {
            let url = Url::parse(&format!("http://host{path}")).unwrap();
            assert_eq!(of(&url), expected, "{path}");
        }
    }

    #[test]
    fn dots_alone_are_no_name() {
        assert_eq!(decode("."), "%2E");
        assert_eq!(decode("%2e%2E"), "%2E%2E");
    }

    #[test]
    fn a_number_goes_before_the_extension() {
        for (name, number, expected) in [
            ("file1.txt", 0, "file1.txt"),
            ("file1.txt", 1, "file1.1.txt"),
            ("file1", 2, "file1.2"),
            (".profile", 1, ".profile.1"),
            ("a.b.c", 10, "a.b.10.c"),
            ("a.", 1, "a.1."),
        ] {
            assert_eq!(numbered(name, number), expected);
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_keeps_its_extension() {
        let long = |length: usize| "x".repeat(length) + ".txt";
        assert_eq!(numbered(&long(MAX_NAME_BYTES - 5), 0), long(MAX_NAME_BYTES - 5));
        assert_eq!(numbered(&long(MAX_NAME_BYTES - 4), 0), long(MAX_NAME_BYTES - 4));
        assert_eq!(numbered(&long(MAX_NAME_BYTES - 3), 0), long(MAX_NAME_BYTES - 4));
        let cut = numbered(&long(MAX_NAME_BYTES), 12);
        assert_eq!(cut.len(), MAX_NAME_BYTES);
        assert!(cut.ends_with("x.12.txt"), "{cut}");
        assert_eq!(numbered(&"ü".repeat(200), 1), "ü".repeat(119) + ".1");
        let no_extension = format!("a.{}", "e".repeat(300));
        assert_eq!(numbered(&no_extension, 0), no_extension[..MAX_NAME_BYTES]);
    }
}
