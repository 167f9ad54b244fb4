//! The file name of a URL: percent-decoded and made safe.
//!
//! A name from a URL or a server must not leave its directory, disguise its extension, or be longer than
//! file systems allow. `reserved_names` numbers equal names.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::part_name;
use crate::client::zone;

/// The longest name in bytes. File systems allow 255.
const MAX_NAME_BYTES: usize = 240;

/// The longest extension that is kept when a name is shortened, with its dot.
const MAX_EXTENSION_BYTES: usize = 17;

/// The name for a URL whose path ends with a slash.
const INDEX: &str = "index.html";

/// The name of a URL's file: its last path segment, percent-decoded as far as is safe.
pub(crate) fn from_url(url: &Url) -> String {
    match url.path_segments().and_then(|mut segments| segments.next_back()) {
        None | Some("") => INDEX.to_owned(),
        Some(segment) => numbered(&decode(segment), 0),
    }
}

/// The path of a URL's file that mirrors the server: `host/directories/name`, or `host_port/…` if the port
/// is not the scheme's default.
pub(super) fn mirrored_path(url: &Url) -> String {
    let mut path = match (zone::strip(url).host_str(), url.port()) {
        (Some(host), None) => host.to_owned(),
        (host, port) => {
            format!("{}_{}", host.unwrap_or_default(), port.unwrap_or_default())
        }
    };
    path = numbered(&encode_unsafe(&path), 0);
    let directories = url.path_segments().map(|segments| {
        let mut segments: Vec<_> = segments.collect();
        segments.pop();
        segments
    });
    for segment in directories.into_iter().flatten().filter(|segment| !segment.is_empty()) {
        path.push('/');
        path.push_str(&numbered(&decode(segment), 0));
    }
    path.push('/');
    path.push_str(&from_url(url));
    path
}

/// The name that a server suggests, without directories (RFC 6266 §4.3) and without a leading dot, which
/// would hide the file; `None` if nothing is left.
pub(crate) fn from_server(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next()?.trim();
    let name = match name.strip_prefix('.') {
        Some(rest) if rest.trim_matches('.').is_empty() => return None,
        Some(rest) => format!("_{rest}"),
        None => name.to_owned(),
    };
    (!name.is_empty()).then(|| numbered(&encode_unsafe(&name), 0))
}

/// The path below the output directory that the user chose, made safe; `None` if it leads out of the
/// directory or is empty.
pub(super) fn from_user(path: &str) -> Option<String> {
    let parts: Vec<_> = path.split('/').collect();
    let is_usable = |part: &&str| !matches!(*part, "" | "." | "..");
    let all_usable = parts.iter().all(is_usable);
    all_usable.then(|| {
        let parts: Vec<_> =
            parts.into_iter().map(|part| numbered(&encode_unsafe(part), 0)).collect();
        parts.join("/")
    })
}

/// The name with a number: `a.txt`, `a.1.txt`, `a.2.txt`; at most [`MAX_NAME_BYTES`] long, and never the
/// name of a part or its notes.
pub(super) fn numbered(name: &str, number: usize) -> String {
    let (stem, extension) = split_extension(name);
    let suffix = if number == 0 { String::new() } else { format!(".{number}") };
    let mut length = stem.len().min(MAX_NAME_BYTES - suffix.len() - extension.len());
    while !stem.is_char_boundary(length) {
        length -= 1;
    }
    let mut name = format!("{}{suffix}{extension}", &stem[..length]);
    if let Some(at) = part_name::suffix_at(&name) {
        name.replace_range(at..=at, "_");
    }
    name
}

/// Percent-decodes a segment, except for unsafe characters. A segment that is not UTF-8 stays as it is.
fn decode(segment: &str) -> String {
    let Ok(decoded) = percent_decode_str(segment).decode_utf8() else { return segment.to_owned() };
    encode_unsafe(&decoded)
}

/// Percent-encodes unsafe characters.
fn encode_unsafe(text: &str) -> String {
    if matches!(text, "." | "..") {
        return utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    }
    let mut name = String::with_capacity(text.len());
    for character in text.chars() {
        if is_safe(character) {
            name.push(character);
        } else {
            name.extend(utf8_percent_encode(character.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC));
        }
    }
    name
}

/// False for separators, control characters, and the marks of text direction, with which `txt.exe` can be
/// displayed as `exe.txt`.
fn is_safe(character: char) -> bool {
    !matches!(character, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        && !character.is_control()
}

/// Divides a name before the dot of its extension; `.profile` has none.
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
            assert_eq!(from_url(&url), expected, "{path}");
        }
    }

    #[test]
    fn a_path_mirrors_host_and_directories() {
        for (url, expected) in [
            ("http://host/a/b/c.txt", "host/a/b/c.txt"),
            ("http://HOST:80/", "host/index.html"),
            ("http://host:8080/a//b/", "host_8080/a/b/index.html"),
            ("http://[::1]:81/x", "[::1]_81/x"),
            ("http://host/%2e%2e/a/..%2f..%2fx/y", "host/a/..%2F..%2Fx/y"),
            ("http://host/a%5c..%5cb/x", "host/a%5C..%5Cb/x"),
        ] {
            assert_eq!(mirrored_path(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_suggested_name_keeps_neither_directories_nor_leading_dots() {
        for (name, expected) in [
            ("report.pdf", Some("report.pdf")),
            ("/etc/passwd", Some("passwd")),
            ("..\\..\\win.ini", Some("win.ini")),
            ("../", None),
            ("..", None),
            (".", None),
            ("", None),
            (" ", None),
            (".bashrc", Some("_bashrc")),
            ("a\u{202e}b\n", Some("a%E2%80%AEb")),
        ] {
            assert_eq!(from_server(name).as_deref(), expected, "{name:?}");
        }
    }

    #[test]
    fn a_chosen_path_stays_beneath_its_directory() {
        for (path, expected) in [
            ("a.txt", Some("a.txt")),
            ("x/y/a.txt", Some("x/y/a.txt")),
            ("../a", None),
            ("a/../b", None),
            ("/a", None),
            ("a/", None),
            ("", None),
            ("a\u{7f}b", Some("a%7Fb")),
        ] {
            assert_eq!(from_user(path).as_deref(), expected, "{path:?}");
        }
    }

    #[test]
    fn dots_alone_are_no_name() {
        assert_eq!(decode("."), "%2E");
        assert_eq!(decode("%2e%2E"), "%2E%2E");
    }

    #[test]
    fn no_name_is_one_of_a_part_or_its_notes() {
        let cut = |extra: &str| format!("{}.0123abcd{extra}.part", "x".repeat(MAX_NAME_BYTES - 14));
        for (name, expected) in [
            ("x.0123abcd.part", "x.0123abcd_part"),
            ("x.0123abcd.part.json", "x.0123abcd_part.json"),
            ("x.0123abcd.PART.json~", "x.0123abcd_PART.json~"),
            ("x.0123abcd.part.", "x.0123abcd_part."),
            ("x.part", "x.part"),
            ("x.part.json", "x.part.json"),
            (&cut("y"), &cut("").replace(".part", "_part")),
        ] {
            assert_eq!(numbered(name, 0), expected);
        }
        assert_eq!(numbered("x.part", 12_345_678), "x.12345678_part");
        let url = Url::parse("http://host/d.0123abcd.part/x.0123abcd.pa%72t").unwrap();
        assert_eq!(mirrored_path(&url), "host/d.0123abcd_part/x.0123abcd_part");
        assert_eq!(from_user("x.0123abcd.part").as_deref(), Some("x.0123abcd_part"));
        assert_eq!(from_server("x.0123abcd.part").as_deref(), Some("x.0123abcd_part"));
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
            // The longest extension, and one that is a byte too long to be one.
            ("stem.0123456789abcdef", 1, "stem.1.0123456789abcdef"),
            ("stem.0123456789abcdefg", 1, "stem.0123456789abcdefg.1"),
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
        assert_eq!(numbered(&"ü".repeat(200), 10), "ü".repeat(118) + ".10");
        let no_extension = format!("a.{}", "e".repeat(300));
        assert_eq!(numbered(&no_extension, 0), no_extension[..MAX_NAME_BYTES]);
    }
}
