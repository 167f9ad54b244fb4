//! What became of each URL, when, and where its time went.
//!
//! Plain values: the report, the experiment and the tests read them; nothing is measured here.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::FetchError;
use crate::http::Status;

/// Where the time of one fetch went, redirects included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the start of the run until a worker took the URL up.
    pub queue: Duration,
    /// Looking the host's name up; nothing where the answer was known.
    pub dns: Duration,
    /// Opening the connection; nothing where a kept one was used.
    pub connect: Duration,
    /// The TLS handshake; nothing for `http`.
    pub tls: Duration,
    /// From the request until the answer's head had come.
    pub first_byte: Duration,
    /// From the answer's head until the file had its name.
    pub transfer: Duration,
}

/// A file that is there whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    pub path: PathBuf,
    /// The length of the content.
    pub bytes: u64,
    /// The status it came with, a 2xx.
    pub status: Status,
}

/// What became of one URL.
#[derive(Debug)]
pub struct Outcome {
    pub result: Result<Saved, FetchError>,
    /// The URL that the last answer came from, or was expected from, if it is not the job's own.
    pub redirected_to: Option<Url>,
    /// Which worker fetched it, counted from zero.
    pub worker: usize,
    /// From when its worker took it up until it was done with it.
    pub took: Duration,
    pub phases: Phases,
}

/// What became of all URLs of one run.
#[derive(Debug)]
pub struct Run {
    /// One for each job, in the order of the jobs.
    pub outcomes: Vec<Outcome>,
    /// How many threads, each with one connection in use at most, shared the jobs.
    pub workers: usize,
    /// From before the first thread was started until the last was done.
    pub wall: Duration,
}

impl Run {
    /// How many URLs have no file.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.result.is_err()).count()
    }

    /// The length of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.outcomes.iter().flat_map(|outcome| &outcome.result).map(|saved| saved.bytes).sum()
    }

    /// How long the fetches took one by one, added up. Of a concurrent run this is an upper bound of
    /// what a sequential one would take: fetches that share a line and a processor slow each other.
    #[must_use]
    pub fn sum_of_fetches(&self) -> Duration {
        self.outcomes.iter().map(|outcome| outcome.took).sum()
    }
}
