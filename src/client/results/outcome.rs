//! What became of each URL, when, and where its time went.
//!
//! Plain values: the report, the experiment and the tests read them; nothing is measured here. A run of
//! a hundred thousand URLs keeps one outcome for each, so they are small.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use url::Url;

use crate::client::error::FetchError;
use crate::client::plan::checksum::{Algorithm, Checksum};
use crate::http::Status;

/// Where the time of one fetch went, redirects and all attempts included.
///
/// All but `queue` lie after the worker took the URL up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the start of the run until its host admitted it and a worker took the URL up.
    pub queue: Duration,
    /// Between attempts, and at the gates of hosts that it was redirected to.
    pub waiting: Duration,
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
    /// How it came to be there.
    pub retrieval: Retrieval,
    /// Those that were asked for, or had to be verified.
    pub checksums: Box<[Checksum]>,
}

/// How a file came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retrieval {
    /// From its server, with 200, 203 or 206; or with 416, which says that nothing was missing.
    Fetched { status: Status, continued_from: u64 },
    /// It was there before, and is left as it is.
    Skipped,
}

/// What became of one URL.
#[derive(Debug)]
pub struct Outcome {
    pub result: Result<Saved, FetchError>,
    /// The URL that the last answer came from, or was expected from, if it is not the job's own.
    pub redirected_to: Option<Box<Url>>,
    /// Which worker made the last attempt, counted from zero.
    pub worker: usize,
    /// From when its worker took it up until it was done with it.
    pub took: Duration,
    pub phases: Phases,
    /// How often it was tried, the first time included; zero if the run ended before.
    pub attempts: u32,
    /// How many of the attempts were turned away, with 429 or 503.
    pub rejections: u32,
    /// The content that came over the network, in all attempts together.
    pub received: u64,
}

/// What was learnt of a host that refused connections or said how many it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearntLimit {
    /// Scheme, host and, where it is not the scheme's own, port.
    pub host: String,
    /// How many connections it accepts at a time.
    pub connections: usize,
    /// How many requests it refused with 429.
    pub rejections: u32,
    /// The time that went into those, added up.
    pub cost: Duration,
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
    /// When it began, by the clock on the wall.
    pub started: SystemTime,
    /// One for each host that was found to have a limit.
    pub limits: Vec<LearntLimit>,
    /// What the servers called themselves (`Server`, RFC 9110 §10.2.4), each name once.
    pub servers: Vec<String>,
}

impl Run {
    /// How many URLs have no file.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.result.is_err()).count()
    }

    /// The length of all files together that were fetched, what was there before included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.outcomes.iter().flat_map(|outcome| &outcome.result).map(Saved::fetched_bytes).sum()
    }

    /// How long the fetches took one by one, added up, without their waiting. Of a concurrent run this
    /// is an upper bound of what a sequential one would take: fetches that share a line and a processor
    /// slow each other.
    #[must_use]
    pub fn sum_of_fetches(&self) -> Duration {
        let busy = |outcome: &Outcome| outcome.took.saturating_sub(outcome.phases.waiting);
        self.outcomes.iter().map(busy).sum()
    }
}

impl Saved {
    /// The checksum by this algorithm, where it was asked for or had to be verified.
    #[must_use]
    pub fn checksum(&self, algorithm: Algorithm) -> Option<&Checksum> {
        self.checksums.iter().find(|checksum| checksum.algorithm() == algorithm)
    }

    fn fetched_bytes(&self) -> u64 {
        match self.retrieval {
            Retrieval::Fetched { .. } => self.bytes,
            Retrieval::Skipped => 0,
        }
    }
}
