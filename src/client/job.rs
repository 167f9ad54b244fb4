//! A URL and the file it will become.
//!
//! All URLs are checked and all names settled before the first thread starts: what is wrong is said
//! before anything is fetched, and no two threads ever want the same file.

use std::collections::{HashMap, HashSet};
use std::{error, fmt};

use url::Url;

use super::{PART_SUFFIX, file_name};

/// One URL to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub url: Url,
    /// The file's name within the output directory; no other job of the same plan has it.
    pub file_name: String,
}

/// A URL that cannot be fetched, whatever its server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// The URL as it was given.
    pub url: String,
    pub problem: JobProblem,
}

/// What is wrong with a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobProblem {
    /// No URL by the URL standard.
    Malformed(url::ParseError),
    /// A scheme other than `http`.
    Scheme(String),
    /// A user name or a password, which the client would not send (RFC 9110 §4.2.4).
    Credentials,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.escape_debug();
        match &self.problem {
            JobProblem::Malformed(_) => write!(f, "\"{url}\" is not a URL"),
            JobProblem::Scheme(scheme) => {
                write!(f, "cannot fetch \"{url}\": the scheme {scheme} is not supported")
            }
            JobProblem::Credentials => {
                f.write_str("cannot fetch a URL with a user name or password in it")
            }
        }
    }
}

impl error::Error for JobError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.problem {
            JobProblem::Malformed(error) => Some(error),
            JobProblem::Scheme(_) | JobProblem::Credentials => None,
        }
    }
}

/// Checks the URLs and gives each a file name of its own, in the order given: of two that ask for
/// `a.txt` the second gets `a.1.txt`.
///
/// # Errors
/// The first URL that cannot be fetched.
pub fn plan<U: AsRef<str>>(urls: &[U]) -> Result<Vec<Job>, JobError> {
    let mut names = Names::default();
    urls.iter()
        .map(|url| {
            let url = parse(url.as_ref())
                .map_err(|problem| JobError { url: url.as_ref().to_owned(), problem })?;
            let file_name = names.claim(&file_name::of(&url));
            Ok(Job { url, file_name })
        })
        .collect()
}

fn parse(text: &str) -> Result<Url, JobProblem> {
    let url = Url::parse(text).map_err(JobProblem::Malformed)?;
    if !is_supported(&url) {
        Err(JobProblem::Scheme(url.scheme().to_owned()))
    } else if !url.username().is_empty() || url.password().is_some() {
        Err(JobProblem::Credentials)
    } else {
        Ok(url)
    }
}

/// The client speaks this URL's protocol.
pub(super) fn is_supported(url: &Url) -> bool {
    url.scheme() == "http"
}

/// The names that are spoken for, those of the partial files included.
#[derive(Debug, Default)]
struct Names {
    taken: HashSet<String>,
    /// The number to try first, by the name that was asked for.
    next: HashMap<String, usize>,
}

impl Names {
    fn claim(&mut self, wanted: &str) -> String {
        let next = self.next.entry(wanted.to_owned()).or_default();
        loop {
            let name = file_name::numbered(wanted, *next);
            let part = format!("{name}{PART_SUFFIX}");
            *next += 1;
            if !self.taken.contains(&name) && !self.taken.contains(&part) {
                self.taken.insert(name.clone());
                self.taken.insert(part);
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(urls: &[&str]) -> Vec<String> {
        plan(urls).unwrap().into_iter().map(|job| job.file_name).collect()
    }

    #[test]
    fn every_job_has_a_name_of_its_own() {
        for (urls, expected) in [
            (&["http://a/x.txt", "http://b/x.txt"][..], &["x.txt", "x.1.txt"][..]),
            (&["http://a/x", "http://a/x", "http://a/x"], &["x", "x.1", "x.2"]),
            (&["http://a/", "http://b"], &["index.html", "index.1.html"]),
            (&["http://a/x.txt", "http://b/x.1.txt"], &["x.txt", "x.1.txt"]),
            (
                &["http://a/x.1.txt", "http://a/x.txt", "http://b/x.txt"],
                &["x.1.txt", "x.txt", "x.2.txt"],
            ),
            (
                &["http://a/x.txt", "http://b/x.txt", "http://b/x.1.txt"],
                &["x.txt", "x.1.txt", "x.1.1.txt"],
            ),
            // A partial file is a file as well.
            (&["http://a/x", "http://a/x.part"], &["x", "x.1.part"]),
            (&["http://a/x.part", "http://a/x"], &["x.part", "x.1"]),
        ] {
            assert_eq!(names(urls), expected, "{urls:?}");
        }
    }

    #[test]
    fn names_cut_short_are_still_told_apart() {
        let urls = ["a", "b", "c"].map(|end| format!("http://a/{}{end}", "x".repeat(300)));
        let names: HashSet<_> = plan(&urls).unwrap().into_iter().map(|job| job.file_name).collect();
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn what_cannot_be_fetched_is_said_with_its_url() {
        for (url, message) in [
            ("", "\"\" is not a URL"),
            ("file1.txt", "\"file1.txt\" is not a URL"),
            ("http://", "\"http://\" is not a URL"),
            ("http://a:99999/", "\"http://a:99999/\" is not a URL"),
            ("http://[::1/", "\"http://[::1/\" is not a URL"),
            ("a\u{1b}[2J", "\"a\\u{1b}[2J\" is not a URL"),
            ("ftp://a/b", "cannot fetch \"ftp://a/b\": the scheme ftp is not supported"),
            (
                "localhost:20001/a",
                "cannot fetch \"localhost:20001/a\": the scheme localhost is not supported",
            ),
            ("http://u:secret@a/", "cannot fetch a URL with a user name or password in it"),
        ] {
            let error = plan(&["http://a/", url]).unwrap_err();
            assert_eq!((error.url.as_str(), error.to_string().as_str()), (url, message));
        }
    }
}
