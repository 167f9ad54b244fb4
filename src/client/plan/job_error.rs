//! Why a URL cannot be fetched, known before the run.

use std::{error, fmt};

use super::text_lines::MAX_LINE_BYTES;
use crate::client::redact::redacted_text;

/// A URL that cannot be fetched, whatever its server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// The URL as it was given, or the beginning of a line that cannot be read, without what could be a
    /// secret.
    pub url: String,
    /// The line of its list.
    pub line: Option<usize>,
    pub problem: JobProblem,
}

/// What is wrong with a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobProblem {
    /// No URL by the URL standard.
    Malformed(url::ParseError),
    /// A scheme other than `http` and `https`.
    Scheme(String),
    /// The zone of an IPv6 address, which no interface of this machine has.
    Zone(String),
    /// A file name that would leave the output directory.
    Name(String),
    /// Further URLs behind the first.
    SeveralUrls,
    /// A blank in a list's URL, where it could as well be meant to divide two things.
    Blank,
    /// A line that is not what it should be: text in its list's encoding.
    NotText(&'static str),
    /// A line longer than [`MAX_LINE_BYTES`].
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
            // Without a scheme, what is before the first colon may be a user's name.
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
                write!(f, "\"{}\" is no file beneath the output directory", name.escape_debug())
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

impl error::Error for JobError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.problem {
            JobProblem::Malformed(error) => Some(error),
            JobProblem::Scheme(_)
            | JobProblem::Zone(_)
            | JobProblem::Name(_)
            | JobProblem::SeveralUrls
            | JobProblem::Blank
            | JobProblem::NotText(_)
            | JobProblem::LongLine => None,
        }
    }
}

/// Compares without regard to case.
fn begins_with(text: &str, scheme: &str) -> bool {
    text.trim_start().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}
