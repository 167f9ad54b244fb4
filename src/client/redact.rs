//! Removes possible secrets from URLs, fields and paths for messages, logs and documents.
//!
//! A valid URL is shown without its user name and password. An invalid one (no host, no scheme, a `/` in the
//! password) may have its password anywhere, so everything that could be one is replaced by a sign. The path
//! and the query are shown, as by other clients.

use std::borrow::Cow;
use std::path::Path;

use url::{Position, Url};

use super::zone;
use crate::http::is_token_byte;

/// Replaces the omitted text.
const OMITTED: &str = "…";

/// The schemes whose URLs need no slashes before the host (URL standard, "special scheme").
const SPECIAL: [&str; 5] = ["http", "https", "ftp", "ws", "wss"];

/// The end of a user name and password, literal and percent-encoded.
const AT_SIGNS: [&str; 2] = ["@", "%40"];

/// A URL without its user name and password, and with its zone, as the name of the interface or else its
/// number.
#[must_use]
pub fn redacted_url(url: &Url) -> Cow<'_, str> {
    if url.cannot_be_a_base() {
        return redacted_reference(url.as_str()).into();
    }
    let zoned = zone::display_host(url);
    if zoned.is_none() && url.username().is_empty() && url.password().is_none() {
        return url.as_str().into();
    }
    let host = zoned.map_or(url[Position::BeforeHost..Position::AfterHost].into(), Cow::from);
    let (before, after) = (&url[..Position::BeforeUsername], &url[Position::AfterHost..]);
    format!("{before}{host}{after}").into()
}

/// An invalid URL or reference. It is not escaped.
///
/// Omitted is all text before the last `@`, or else after a colon that no port follows; without a scheme (a
/// field, a line of another program's list) also after a `=`; and all text after the first blank (a line of a
/// `.netrc`, the options of a command). Several URLs with blanks between them are redacted one by one.
#[must_use]
pub fn redacted_reference(text: &str) -> String {
    let mut redacted = String::new();
    let mut rest = text;
    while let Some(at) = second_url(rest) {
        let (first, others) = rest.split_at(at);
        redacted.push_str(&first_word(redacted_single(first)));
        rest = others;
    }
    redacted + &first_word(redacted_single(rest))
}

/// Text that may contain a URL, with or without its scheme. It is not escaped.
#[must_use]
pub(super) fn redacted_text(text: &str) -> String {
    let is_of_scheme =
        |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
    let scheme = [":/", ":\\"].iter().filter_map(|sign| text.find(sign)).min();
    let scheme = scheme.map(|colon| text[..colon].trim_end_matches(is_of_scheme).len());
    let Some(start) = scheme.into_iter().chain(user_start(text)).min() else {
        return text.to_owned();
    };
    format!("{}{}", &text[..start], redacted_reference(&text[start..]))
}

/// Where a user name and password without a scheme begin: `alice:secret@host`.
fn user_start(text: &str) -> Option<usize> {
    let is_between = |character: char| "/\\".contains(character) || character.is_whitespace();
    let mut start = 0;
    text.split_inclusive(is_between).find_map(|part| {
        let part_start = start;
        start += part.len();
        let (_, password) = part.split_once(':')?;
        AT_SIGNS.iter().any(|sign| password.contains(sign)).then_some(part_start)
    })
}

/// A path. The user may have given a URL instead.
#[must_use]
pub fn redacted_path(path: &Path) -> String {
    redacted_text(&path.to_string_lossy())
}

/// The name of a field, without its value; nothing of text that is not a field.
#[must_use]
pub fn redacted_field(field: &str) -> String {
    match field.split_once(':') {
        Some((name, _)) if !name.is_empty() && name.bytes().all(is_token_byte) => {
            format!("{name}: {OMITTED}")
        }
        _ => OMITTED.to_owned(),
    }
}

fn redacted_single(text: &str) -> String {
    let start = authority_start(text);
    let (before, rest) = text.split_at(start);
    if let Some(at) = AT_SIGNS.iter().filter_map(|sign| rest.rfind(sign)).max() {
        return format!("{before}{OMITTED}{}", &rest[at..]);
    }
    if start > 0 {
        return match dubious_port(rest) {
            Some(at) => format!("{before}{}{OMITTED}", &rest[..at]),
            None => text.to_owned(),
        };
    }
    let value = text.find('=').map(|at| at + 1);
    match value.into_iter().chain(dubious_port(text)).min() {
        Some(at) if !text[at..].trim().is_empty() => format!("{}{OMITTED}", &text[..at]),
        _ => text.to_owned(),
    }
}

/// The text before the first blank.
fn first_word(text: String) -> String {
    let word = text.trim_start();
    let Some(blank) = word.trim_end().find(char::is_whitespace) else { return text };
    let start = text.len() - word.len();
    format!("{} {OMITTED}", &text[..start + blank])
}

/// Where another URL begins after a blank.
fn second_url(text: &str) -> Option<usize> {
    let mut blanks = text.match_indices(char::is_whitespace);
    blanks.find_map(|(at, blank)| {
        let next = at + blank.len();
        ["http://", "https://"]
            .iter()
            .any(|scheme| {
                text[next..].get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme))
            })
            .then_some(next)
    })
}

/// Where the user name or the host begins; 0 without a scheme or slashes.
fn authority_start(text: &str) -> usize {
    let scheme_end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    let scheme_end = scheme_end.filter(|end| *end > 0 && text[*end..].starts_with(':'));
    let (behind_scheme, needed_slashes) = match scheme_end {
        Some(end) if SPECIAL.iter().any(|special| text[..end].eq_ignore_ascii_case(special)) => {
            (end + 1, 0)
        }
        Some(end) => (end + 1, 1),
        None => (0, 2),
    };
    let slashes = text[behind_scheme..].bytes().take_while(|byte| b"/\\".contains(byte)).count();
    if slashes >= needed_slashes { behind_scheme + slashes } else { 0 }
}

/// Where the text after the host's colon begins, if it is not a port: without an `@` it may be a password.
fn dubious_port(authority: &str) -> Option<usize> {
    let host_end = match authority.strip_prefix('[') {
        Some(address) => address.find(']')? + 2,
        None => authority.find([':', '/', '\\', '?', '#'])?,
    };
    let port = authority.get(host_end..)?.strip_prefix(':')?;
    let digits = port.bytes().take_while(u8::is_ascii_digit).count();
    let ends = port[digits..]
        .chars()
        .next()
        .is_none_or(|next| "/\\?#".contains(next) || next.is_whitespace());
    (!ends || digits == 0 && !port.trim().is_empty() && !port.starts_with('/'))
        .then_some(host_end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_url_loses_only_its_user_name_and_password() {
        for (text, expected) in [
            ("http://alice:pa55word@host/x?y", "http://host/x?y"),
            ("HTTP:\\\\alice:pa55word@host\\x", "http://host/x"),
            ("http:alice:pa55word@host", "http://host/"),
            ("http:///alice:pa@55word@host", "http://host/"),
            ("http://pa55word@host", "http://host/"),
            ("ftp://alice:pa55word@host/x", "ftp://host/x"),
            ("any://alice:pa55word@host:1/x", "any://host:1/x"),
            ("alice:pa55word@host/x", "…@host/x"),
            ("mailto:alice", "mailto:…"),
            ("http://host/@scope/x?mail=a@b", "http://host/@scope/x?mail=a@b"),
            ("http://host/?u=http://a:b@c/", "http://host/?u=http://a:b@c/"),
        ] {
            assert_eq!(redacted_url(&Url::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn no_password_of_an_invalid_url_is_shown() {
        for (text, expected) in [
            ("http://alice:pa55word@host:99999/x", "http://…@host:99999/x"),
            ("HTTPS://alice:pa55word@host:99999/x", "HTTPS://…@host:99999/x"),
            ("http:\\\\alice:pa55word@host:x\\y", "http:\\\\…@host:x\\y"),
            ("http:alice:pa55word@host:x", "http:…@host:x"),
            ("http:/alice:pa55word@host:x", "http:/…@host:x"),
            ("http:///alice:pa55word@host:x", "http:///…@host:x"),
            ("//alice:pa55word@host:x/", "//…@host:x/"),
            ("\\\\alice:pa55word@host:x", "\\\\…@host:x"),
            ("alice:pa55word@host/x", "…@host/x"),
            ("alice:/pa55word@host/x", "alice:/…@host/x"),
            ("pa55word@host/x", "…@host/x"),
            ("pa55word:x-oauth-basic@host", "…@host"),
            ("ht\ttp://alice:pa55word@host:x", "…@host:x"),
            ("\u{1}http://alice:pa55word@host:x", "…@host:x"),
            ("http://alice:pa/55word@host/", "http://…@host/"),
            ("http://alice:pa?55word@host/", "http://…@host/"),
            ("http://alice:pa#55word@host/", "http://…@host/"),
            ("http://alice:pa\\55word@host/", "http://…@host/"),
            ("http://alice:pa 55word@host/", "http://…@host/"),
            ("http://alice:p@55word@host:x/", "http://…@host:x/"),
            ("http://alice:12/55word@host:x/", "http://…@host:x/"),
            ("http://alice:pa55word%40host/", "http://…%40host/"),
            ("http://alice%3Apa55word%40host/", "http://…%40host/"),
            ("http://alice:pa55word", "http://alice:…"),
            ("http://alice:pa55word/x", "http://alice:…"),
            ("http://alice:55word/x", "http://alice:…"),
            ("http://[::1]:pa55word/x", "http://[::1]:…"),
            ("ftp://alice:pa55word@host", "ftp://…@host"),
            ("alice:pa55word", "alice:…"),
            ("http://a:b@c/ https://d:pa55word@e?f", "http://…@c/ https://…@e?f"),
            ("http-passwd=pa55word", "http-passwd=…"),
            ("header=Cookie: a=pa55word", "header=…"),
            ("Authorization: Bearer pa55word", "Authorization:…"),
            ("Authorization Bearer pa55word", "Authorization …"),
            ("machine host login alice password pa55word", "machine …"),
            (" password pa55word ", " password …"),
            ("password\tpa55word", "password …"),
            ("http://host/x --password pa55word", "http://host/x …"),
            ("http://alice@host/ pa55word", "http://…@host/ …"),
            ("wget --password pa55word http://host/", "wget …http://host/"),
        ] {
            assert_eq!(redacted_reference(text), expected, "{text}");
            assert!(!redacted_reference(text).contains("55word"), "{text}");
        }
    }

    #[test]
    fn text_without_secrets_is_unchanged() {
        for text in [
            "",
            "file1.txt",
            "see http://a/",
            "http://",
            "http://a:99999/",
            "http://a:/",
            "http://[::1/",
            "http://[::1]:99999/",
            "localhost:20001/a",
            "localhost:",
            "ftp://a/b",
            "http://a:80\nHTTPS://b",
        ] {
            assert_eq!(redacted_reference(text), text);
        }
    }

    #[test]
    fn a_url_in_a_text_is_redacted() {
        for (text, expected) in [
            ("http://alice:pa55word@host/list.txt", "http://…@host/list.txt"),
            ("out/http:/alice:pa55word@host/x", "out/http:/…@host/x"),
            ("0123 http://alice:pa55word@host/x", "0123 http://…@host/x"),
            ("alice:pa55word@host/list.txt", "…@host/list.txt"),
            ("out/al_ice:pa55word@host/x", "out/…@host/x"),
            ("0123  alice:pa55word%40host", "0123  …%40host"),
            ("http:alice:pa55word@host/x", "http:…@host/x"),
            ("dir@2x/a=b:c", "dir@2x/a=b:c"),
            ("[::1]_81/@scope/x", "[::1]_81/@scope/x"),
            ("12:30 a b", "12:30 a b"),
            ("/home/me", "/home/me"),
        ] {
            assert_eq!(redacted_text(text), expected);
        }
        assert_eq!(redacted_path(Path::new("ftp://alice:pa55word@host")), "ftp://…@host");
    }

    #[test]
    fn a_field_is_shown_by_its_name() {
        for (field, expected) in [
            ("Cookie: a=pa55word\n", "Cookie: …"),
            ("Authorization:pa55word", "Authorization: …"),
            ("Authorization Bearer pa55word", "…"),
            ("Bearer pa55word: x", "…"),
            (": pa55word", "…"),
            ("pa55word", "…"),
        ] {
            assert_eq!(redacted_field(field), expected);
        }
    }
}
