//! Removes possible secrets from clap's error messages.
//!
//! clap repeats the argument that it refuses, which may be a URL with a password, or a part of a field whose
//! quotes were forgotten.

use std::ffi::OsString;

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use http_concurrent::client::redacted_reference;

/// Replaces text that is not shown.
const REDACTED: &str = "…";

const ADVICE: &str = "write URLs after -urls, and a field in quotes: -H 'Name: value'";

/// The same error with values redacted, for printing.
pub(crate) fn without_secrets(mut error: Error, arguments: &[OsString]) -> Error {
    let text = |error: &Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(value) = text(&error, ContextKind::InvalidValue) {
        let is_expected = error.kind() != ErrorKind::TooManyValues;
        let shown = if is_expected { redacted_reference(&value) } else { REDACTED.to_owned() };
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(argument) = text(&error, ContextKind::InvalidArg)
    {
        let is_like_another = error.get(ContextKind::SuggestedArg).is_some();
        let is_given = |given: &OsString| given.as_encoded_bytes().starts_with(argument.as_bytes());
        let is_name = is_like_another || arguments.iter().any(is_given);
        error.insert(
            ContextKind::InvalidArg,
            ContextValue::String(shown_argument(&argument, is_name)),
        );
        // The suggestion repeats the argument.
        error.remove(ContextKind::Suggested);
        if !argument.starts_with('-') {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![ADVICE.into()]));
        }
    }
    error
}

/// An option's name if `is_name`, else its first letter, as a value may follow directly
/// (`-ualice:secret`). Of any other word nothing is shown, unless it is a URL.
fn shown_argument(argument: &str, is_name: bool) -> String {
    let Some(name) = argument.strip_prefix('-').map(|name| name.trim_start_matches('-')) else {
        return if argument.contains("://") {
            redacted_reference(argument)
        } else {
            REDACTED.to_owned()
        };
    };
    let of_name = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let end = name.find(|character| !of_name(character)).unwrap_or(name.len());
    let end = if is_name { end } else { name.chars().next().map_or(0, char::len_utf8) };
    let dashes = if is_name { &argument[..argument.len() - name.len()] } else { "-" };
    let rest = if end < name.len() { REDACTED } else { "" };
    format!("{dashes}{}{rest}", &name[..end])
}

#[cfg(test)]
mod tests {
    use crate::args::Args;

    #[test]
    fn errors_of_clap_contain_no_secret() {
        for (line, shown) in [
            (
                &["-c", "http://alice:pa55word@host/"][..],
                "'http://…@host/' for '--concurrency <N>'",
            ),
            (&["-c", "x"], "'x' for '--concurrency <N>'"),
            (&["-timeout=alice:pa55word@host"], "'…@host' for '--timeout <TIME>'"),
            (&["-retries", "Cookie: pa55word"], "'Cookie:…' for '--retries <N>'"),
            (&["-sweep", "http://alice:pa55word/"], "'http://alice:…' for '--sweep"),
            (&["--insecure=pa55word"], "unexpected value '…' for '--insecure'"),
            (&["http://alice:pa55word@host/"], "unexpected argument 'http://…@host/' found"),
            (&["-H", "Cookie:", "pa55word"], "unexpected argument '…' found"),
            (&["-H", "Cookie:", "pa55word"], "-H 'Name: value'"),
            (&["--user", "alice:pa55word"], "unexpected argument '--user' found"),
            (&["--user=alice:pa55word"], "unexpected argument '--user' found"),
            (&["-user=alice:pa55word"], "unexpected argument '--user' found"),
            (&["-ualice:pa55word"], "unexpected argument '-u…' found"),
            (&["-pa55word"], "unexpected argument '-p…' found"),
            (&["--user:pa55word"], "unexpected argument '--user…' found"),
            (&["-u", "alice:pa55word"], "unexpected argument '-u' found"),
            (&["-qxpa55word"], "unexpected argument '-x' found"),
            (&["-sha265"], "unexpected argument '--sha265' found"),
            (&["--", "pa55word"], "unexpected argument '…' found"),
            (&["-o"], "a value is required for '--output <DIR>'"),
        ] {
            let words: Vec<_> = ["client"].iter().chain(line).map(Into::into).collect();
            let message = Args::read(&words).unwrap_err().to_string();
            assert!(message.contains(shown), "{line:?}: {message}");
            assert!(!message.contains("a55"), "{line:?}: {message}");
        }
    }
}
