//! A list of URLs in a file or on standard input.
//!
//! A line is a URL, perhaps with a tab and the name of its file behind it; empty lines and those that
//! begin with `#` are passed over. Lines are read as they come: the list costs no more than what it
//! lists. What a URL is worth is judged by `job`.

use std::io::{self, BufRead, Read};
use std::{error, fmt};

/// Longest line of a list; what is longer is no URL that a server would take.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// A URL that is wanted, not yet looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub url: String,
    /// Where the file is to be, beneath the output directory; by default the URL decides.
    pub name: Option<String>,
    /// The line of its list, counted from 1.
    pub line: Option<usize>,
}

impl Wanted {
    /// A URL as it stands on a command line.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }
}

/// Why a list cannot be read.
#[derive(Debug)]
pub enum ListError {
    Io(io::Error),
    /// This line is longer than [`MAX_LINE_BYTES`].
    TooLong(usize),
    /// This line is not UTF-8.
    NotText(usize),
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("cannot read the list of URLs"),
            Self::TooLong(line) => write!(f, "line {line} is longer than {MAX_LINE_BYTES} bytes"),
            Self::NotText(line) => write!(f, "line {line} is not UTF-8"),
        }
    }
}

impl error::Error for ListError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::TooLong(_) | Self::NotText(_) => None,
        }
    }
}

/// Reads a list to its end.
///
/// # Errors
/// The reader's, or a line that can be no URL at all.
pub fn read_list(mut list: impl BufRead) -> Result<Vec<Wanted>, ListError> {
    let (mut wanted, mut line) = (Vec::new(), Vec::new());
    for number in 1.. {
        line.clear();
        let most = MAX_LINE_BYTES as u64 + 2;
        if list.by_ref().take(most).read_until(b'\n', &mut line).map_err(ListError::Io)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if text.len() > MAX_LINE_BYTES {
            return Err(ListError::TooLong(number));
        }
        let text = str::from_utf8(text).map_err(|_| ListError::NotText(number))?;
        // Some editors begin a file with a byte order mark.
        let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        wanted.extend(parse_line(text, number));
    }
    Ok(wanted)
}

fn parse_line(line: &str, number: usize) -> Option<Wanted> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (url, name) = match line.split_once('\t') {
        Some((url, name)) => (url.trim_end(), Some(name.trim().to_owned())),
        None => (line, None),
    };
    Some(Wanted { url: url.to_owned(), name, line: Some(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_url_and_perhaps_a_name() {
        let list =
            "\u{feff}http://a/1\r\n\n  # a comment\nhttp://a/2#x\tsub/two.txt\n\t\nhttp://a/3";
        let found: Vec<_> = read_list(list.as_bytes())
            .unwrap()
            .into_iter()
            .map(|wanted| (wanted.url, wanted.name, wanted.line.unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                ("http://a/1".into(), None, 1),
                ("http://a/2#x".into(), Some("sub/two.txt".into()), 4),
                ("http://a/3".into(), None, 6)
            ]
        );
    }

    #[test]
    fn a_line_has_a_limit_and_is_text() {
        let line = |length: usize| "x".repeat(length) + "\nhttp://a/";
        assert_eq!(read_list(line(MAX_LINE_BYTES - 1).as_bytes()).unwrap().len(), 2);
        assert_eq!(read_list(line(MAX_LINE_BYTES).as_bytes()).unwrap().len(), 2);
        let error = read_list(line(MAX_LINE_BYTES + 1).as_bytes()).unwrap_err();
        assert!(matches!(error, ListError::TooLong(1)), "{error}");
        let error = read_list(&b"http://a/\n\xff\n"[..]).unwrap_err();
        assert!(matches!(error, ListError::NotText(2)), "{error}");
    }
}
