//! A list of URLs in a file or on standard input.
//!
//! A line is a URL, optionally followed by a tab and a file name, or by a blank, `#` and a comment. Empty
//! lines and lines that begin with `#` are skipped. The URLs are checked in `job`.

use std::io::BufRead;

use super::job_error::{JobError, JobProblem};
use super::text_lines::{BadLine, ListError, NumberedLine, TextLines, excerpt};
use crate::client::redact::redacted_reference;

/// A URL as the user gave it, not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputEntry {
    pub url: String,
    /// The path of the file below the output directory; by default the URL decides.
    pub name: Option<String>,
    /// The number of its line in a list, from 1.
    pub line: Option<usize>,
}

impl InputEntry {
    /// A URL of the command line.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }
}

/// The contents of a list.
#[derive(Debug, Default)]
pub struct InputList {
    pub entries: Vec<InputEntry>,
    /// Lines that cannot be read.
    pub bad_lines: Vec<JobError>,
}

/// What happens if a line of a list cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadLines {
    /// The list is refused, so reading stops at a line that is too long: it may have no end.
    #[default]
    Refuse,
    /// The other lines are read.
    Skip,
}

/// Reads a list.
///
/// # Errors
/// If the reader fails or the list is not text.
pub fn read_list(list: impl BufRead, bad_lines: BadLines) -> Result<InputList, ListError> {
    let (mut lines, mut found) = (TextLines::new(list)?, InputList::default());
    while let Some(NumberedLine { number, text }) = lines.next_line().map_err(ListError::Io)? {
        let (url, problem) = match text {
            Ok(text) => {
                found.entries.extend(parse_line(&text, number));
                continue;
            }
            Err(BadLine::NotText { expected, text }) => {
                (excerpt(&redacted_reference(&text)), JobProblem::NotText(expected))
            }
            Err(BadLine::TooLong { beginning }) => (beginning, JobProblem::LongLine),
        };
        let is_long = problem == JobProblem::LongLine;
        found.bad_lines.push(JobError { url, line: Some(number), problem });
        if is_long && bad_lines == BadLines::Refuse {
            break;
        }
    }
    Ok(found)
}

fn parse_line(line: &str, number: usize) -> Option<InputEntry> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (url, name) = match line.split_once('\t') {
        Some((url, name)) => (url, Some(name)),
        None => (line, None),
    };
    let (url, name) = match comment(url) {
        // A tab in the comment does not begin a name.
        Some(at) => (&url[..at], None),
        None => (url, name),
    };
    // A name may begin or end with a space, but not with a tab.
    let name = name.map(|name| name.trim_matches('\t')).filter(|name| !name.trim().is_empty());
    let (url, name) = (url.trim_end().to_owned(), name.map(str::to_owned));
    Some(InputEntry { url, name, line: Some(number) })
}

/// Where the comment after a URL begins. A `#` without a blank before it begins a fragment.
fn comment(url: &str) -> Option<usize> {
    let mut signs = url.match_indices('#').map(|(at, _)| at);
    signs.find(|at| url[..*at].ends_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::plan::text_lines::MAX_LINE_BYTES;

    fn entries(list: &str) -> Vec<(String, Option<String>, usize)> {
        let found = read_list(list.as_bytes(), BadLines::Skip).unwrap();
        assert_eq!(found.bad_lines, [], "{list:?}");
        let parts = |entry: InputEntry| (entry.url, entry.name, entry.line.unwrap());
        found.entries.into_iter().map(parts).collect()
    }

    #[test]
    fn a_line_is_a_url_and_perhaps_a_name_or_a_comment() {
        for (line, url, name) in [
            ("http://a/1", "http://a/1", None),
            (" \t http://a/1 \t ", "http://a/1", None),
            ("\u{a0}http://a/1\u{a0}\u{3000}", "http://a/1", None),
            ("http://a/1#x", "http://a/1#x", None),
            ("http://a/1#x #y", "http://a/1#x", None),
            ("http://a/1 # a comment", "http://a/1", None),
            ("http://a/1   #a", "http://a/1", None),
            ("http://a/1\u{a0}#a", "http://a/1", None),
            ("http://a/1 # see http://a/2\tx", "http://a/1", None),
            ("http://a/1\tone.txt", "http://a/1", Some("one.txt")),
            ("http://a/1#x\tsub/one # 1.txt", "http://a/1#x", Some("sub/one # 1.txt")),
            ("http://a/1 \t# 1", "http://a/1", Some("# 1")),
            ("http://a/1\t\tone\ttwo\t", "http://a/1", Some("one\ttwo")),
            ("http://a/1\t one ", "http://a/1", Some(" one ")),
        ] {
            let expected = vec![(url.to_owned(), name.map(str::to_owned), 1)];
            for end in ["", "\n", "\r\n", "\r"] {
                let found = entries(&format!("\u{feff}{line}{end}"));
                assert_eq!(found, expected, "{line:?} {end:?}");
            }
        }
        for nothing in ["", " ", "\t", "# a", " \t# a", "#http://a/", "\u{a0}"] {
            let found = entries(&format!("{nothing}\n{nothing}\r\n{nothing}\nhttp://a/1"));
            assert_eq!(found, [("http://a/1".to_owned(), None, 4)], "{nothing:?}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_one_bad_line() {
        let long = "x".repeat(MAX_LINE_BYTES + 1);
        let list = [b"http://a/1\nhttp://a/\xff\n", long.as_bytes(), b"\nhttp://a/2\n"].concat();
        let found = read_list(&list[..], BadLines::Skip).unwrap();
        let urls: Vec<_> = found.entries.iter().map(|entry| (&*entry.url, entry.line)).collect();
        assert_eq!(urls, [("http://a/1", Some(1)), ("http://a/2", Some(4))]);
        let messages: Vec<_> = found.bad_lines.iter().map(ToString::to_string).collect();
        let beginning = "x".repeat(60);
        let expected = [
            "line 2: \"http://a/\u{fffd}\" is not UTF-8".to_owned(),
            format!("line 3: \"{beginning}…\" is longer than 65536 bytes"),
        ];
        assert_eq!(messages, expected);
        let found = read_list(&list[..], BadLines::Refuse).unwrap();
        assert_eq!((found.entries.len(), found.bad_lines.len()), (1, 2));
        let list = [b"\xff\xfe", &b"h\0\0\xd8\n\0"[..]].concat();
        let found = read_list(&list[..], BadLines::Refuse).unwrap();
        assert!(found.bad_lines[0].to_string().ends_with("is not UTF-16"), "{found:?}");
    }
}
