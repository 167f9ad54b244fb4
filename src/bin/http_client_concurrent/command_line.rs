//! The command line as a document shows it: quoted for a shell, without passwords and values of fields.

use std::fmt::Write as _;

use http_concurrent::client::{redacted_field, redacted_path, redacted_url};
use url::Url;

/// The most URLs that are shown one after another.
const MAX_URLS: usize = 3;

/// The program's name and its arguments.
pub(crate) fn shown(arguments: impl IntoIterator<Item = String>) -> String {
    let mut line = env!("CARGO_BIN_NAME").to_owned();
    let mut urls = 0_usize;
    let mut is_field = false;
    for argument in arguments {
        let is_url = argument.starts_with("http://") || argument.starts_with("https://");
        urls = if is_url { urls + 1 } else { more_urls(&mut line, urls) };
        if urls <= MAX_URLS {
            let text =
                if is_field { redacted_field(&argument) } else { without_secrets(&argument) };
            line.push(' ');
            line.push_str(&quoted(&text));
        }
        is_field = takes_field(&argument);
    }
    more_urls(&mut line, urls);
    line
}

/// Says how many URLs are not shown; returns 0, the number of URLs in a row after another argument.
fn more_urls(line: &mut String, urls: usize) -> usize {
    match urls.saturating_sub(MAX_URLS) {
        0 => {}
        1 => line.push_str(" … (1 more URL)"),
        more => {
            let _ = write!(line, " … ({more} more URLs)");
        }
    }
    0
}

/// Whether the next argument is a field: this one is `--header`, or short options that end with `H`.
fn takes_field(argument: &str) -> bool {
    match argument.strip_prefix('-') {
        Some("-header" | "header") => true,
        Some(short) => !short.starts_with('-') && short.ends_with('H'),
        None => false,
    }
}

fn without_secrets(argument: &str) -> String {
    let Some(option) = argument.strip_prefix('-') else { return value_without_secrets(argument) };
    if let Some((name, value)) = argument.split_once('=')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
    {
        let is_field = takes_field(name);
        let value = if is_field { redacted_field(value) } else { value_without_secrets(value) };
        return format!("{name}={value}");
    }
    // The value of a short option may follow directly: -HCookie: a=b
    match option.char_indices().nth(1) {
        Some((at, _)) if option.contains([':', '@', ' ']) => format!("-{}…", &option[..at]),
        _ => argument.to_owned(),
    }
}

fn value_without_secrets(value: &str) -> String {
    match Url::parse(value) {
        Ok(url) => redacted_url(&url).into_owned(),
        Err(_) => redacted_path(value.as_ref()),
    }
}

/// Quotes an argument for a shell, if it needs quotes.
fn quoted(argument: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=,@%+…".contains(character);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> String {
        let shown = shown(arguments.iter().map(|&argument| argument.to_owned()));
        shown.strip_prefix("http_client_concurrent").expect("the program's name").to_owned()
    }

    #[test]
    fn arguments_are_quoted_and_many_urls_counted() {
        for (arguments, expected) in [
            (&["--compare", "-c", "8"][..], " --compare -c 8"),
            (&["-i", "my list.txt", "-o", ""], " -i 'my list.txt' -o ''"),
            (&["-A", "it's"], r" -A 'it'\''s'"),
            (&["-urls", "http://a/?x=1&y=2"], " -urls 'http://a/?x=1&y=2'"),
            (
                &[
                    "-urls",
                    "http://a/1",
                    "http://a/2",
                    "http://a/3",
                    "http://a/4",
                    "https://b/5",
                    "-q",
                ],
                " -urls http://a/1 http://a/2 http://a/3 … (2 more URLs) -q",
            ),
            (
                &["-urls", "http://a/1", "http://a/2", "http://a/3", "http://a/4"],
                " -urls http://a/1 http://a/2 http://a/3 … (1 more URL)",
            ),
        ] {
            assert_eq!(of(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn no_password_and_no_value_of_a_field_is_shown() {
        for (arguments, expected) in [
            (&["-urls", "http://alice:pa55word@host/x"][..], " -urls http://host/x"),
            (&["-urls", "http://alice:pa/55word@host/x"], " -urls http://…@host/x"),
            (&["-urls", "alice:pa55word@host/x"], " -urls …@host/x"),
            (&["-urls=http://alice:pa55word@host/x"], " -urls=http://host/x"),
            (&["-H", "Cookie: a=pa55word"], " -H 'Cookie: …'"),
            (&["-qH", "Cookie: a=pa55word"], " -qH 'Cookie: …'"),
            (&["-header", "Authorization: Bearer pa55word"], " -header 'Authorization: …'"),
            (&["--header=Cookie: a=pa55word"], " '--header=Cookie: …'"),
            (&["-H=Cookie: a=pa55word"], " '-H=Cookie: …'"),
            (&["-HCookie: a=pa55word"], " -H…"),
            (&["-HCookie:a=pa55word"], " -H…"),
            (&["-i", "http://alice:pa55word@host/list"], " -i http://host/list"),
            (&["--report", "out/alice:pa55word@host.html"], " --report out/…@host.html"),
        ] {
            assert_eq!(of(arguments), expected, "{arguments:?}");
        }
    }
}
