//! Why a URL cannot be fetched, known before the run.

use std::{error, fmt};

use super::text_lines::MAX_LINE_BYTES;
use crate::client::redact::redacted_text;

/// A URL that cannot be fetched, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// The URL as it was given, or the beginning of a line that cannot be read, redacted.
    pub url: String,
    /// The number of its line in a list, from 1.
    pub line: Option<usize>,
    pub problem: JobProblem,
}

/// Why a URL is not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobProblem {
    /// Not a URL (URL standard).
    Malformed(url::ParseError),
    /// A scheme other than `http` and `https`.
    Scheme(String),
    /// The zone of an IPv6 address names no interface of this machine.
    Zone(String),
    /// The file name leads out of the output directory.
    Name(String),
    /// More than one URL.
    SeveralUrls,
    /// A blank in a URL of a list, where it could be meant as a separator.
    Blank,
    /// The line is not text in this encoding.
    NotText(&'static str),
    /// The line is longer than [`MAX_LINE_BYTES`].
    LongLine,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        let url = self.url.escape_debug();
        match &self.problem {
            JobProblem::Malformed(_) => write!(f, "\"{url}\" is not a URL"),
            // In a URL without a scheme, the text before the colon may be a user name.
            JobProblem::Scheme(scheme) if begins_with(&self.url, scheme) => {
                write!(f, "cannot fetch \"{url}\": the scheme {scheme} is not supported")
            }
            JobProblem::Scheme(_) => {
                write!(f, "cannot fetch \"{url}\": it does not begin with a supported scheme")
            }
            JobProblem::Zone(zone) => {
                let zone = zone.escape_debug();
                write!(f, "cannot fetch \"{url}\": this machine has no interface \"{zone}\"")
            }
            JobProblem::Name(name) => {
                let name = redacted_text(name);
                write!(f, "\"{}\" is not a path below the output directory", name.escape_debug())
            }
            JobProblem::SeveralUrls => write!(f, "\"{url}\" is more than one URL"),
            JobProblem::Blank => write!(f, "\"{url}\" has a blank in it"),
            JobProblem::NotText(expected) => write!(f, "\"{url}\" is not {expected}"),
            JobProblem::LongLine => {
                write!(f, "\"{url}\" is longer than {MAX_LINE_BYTES} bytes")
            }
        }
    }
}

// Not derived: thiserror takes no source out of an enum in a field.
impl error::Error for JobError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.problem {
            JobProblem::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

/// Ignores case.
fn begins_with(text: &str, scheme: &str) -> bool {
    text.trim_start().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}
