//! The outcome of each URL: its file or failure, and its times.
//!
//! Plain values, measured elsewhere. A run keeps one for each of perhaps a hundred thousand URLs, so they are
//! small.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use url::Url;

use super::seconds::serialize_seconds;
use crate::client::error::FetchError;
use crate::client::plan::checksum::{Algorithm, Checksum};
use crate::http::Status;

/// The time that each phase of a fetch took, over all attempts and redirects.
///
/// All but `queue` are after the worker started the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the start of the run until a worker started the job.
    pub queue: Duration,
    /// Between attempts, and at the gates of hosts of redirects.
    pub waiting: Duration,
    /// The look-up of the host's name; zero if it was known.
    pub dns: Duration,
    /// The opening of the connection; zero if a kept one was used.
    pub connect: Duration,
    /// The TLS handshake; zero for `http`.
    pub tls: Duration,
    /// From the request until the response's head was received.
    pub first_byte: Duration,
    /// Reading the content from the network.
    pub transfer: Duration,
    /// The rest of the attempts, which is work on the file: choosing its part, decoding, hashing, writing and
    /// syncing its content, and giving it its final name.
    pub write: Duration,
}

impl Phases {
    /// Adds the times of another fetch.
    pub fn add(&mut self, other: &Self) {
        self.queue += other.queue;
        self.waiting += other.waiting;
        self.dns += other.dns;
        self.connect += other.connect;
        self.tls += other.tls;
        self.first_byte += other.first_byte;
        self.transfer += other.transfer;
        self.write += other.write;
    }

    /// The phases with their names, in their order.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Duration); 8] {
        [
            ("queue", self.queue),
            ("waiting", self.waiting),
            ("dns", self.dns),
            ("connect", self.connect),
            ("tls", self.tls),
            ("first_byte", self.first_byte),
            ("transfer", self.transfer),
            ("write", self.write),
        ]
    }

    /// The sum of all phases.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.named().into_iter().map(|(_, time)| time).sum()
    }
}

/// A complete file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    pub path: PathBuf,
    /// The length of the content.
    pub bytes: u64,
    pub retrieval: Retrieval,
    /// The checksums that were requested or verified.
    pub checksums: Box<[Checksum]>,
}

/// How a file was retrieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retrieval {
    /// From its server, with 200, 203 or 206, or with 416 if nothing was missing. `continued_from` is the
    /// length of the part that was resumed.
    Fetched { status: Status, continued_from: u64 },
    /// Not at all: it existed and was kept.
    Skipped,
}

/// The outcome of one URL.
#[derive(Debug)]
pub struct Outcome {
    pub result: Result<Saved, FetchError>,
    /// The URL of the last request, if it is not the job's.
    pub redirected_to: Option<Box<Url>>,
    /// The worker that made the last attempt, from 0.
    pub worker: usize,
    /// From the start of the job until its end.
    pub took: Duration,
    pub phases: Phases,
    /// The number of attempts; 0 if the run was stopped before the first.
    pub attempts: u32,
    /// The attempts that were rejected with 429 or 503.
    pub rejections: u32,
    /// The bytes of content that were received in all attempts.
    pub received: u64,
}

/// The limit of a host that rejected connections or announced how many it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LearntLimit {
    /// Scheme and host, and the port if it is not the scheme's default.
    pub host: String,
    /// The concurrent connections that it accepts.
    pub connections: usize,
    /// The requests that it rejected with 429.
    pub rejections: u32,
    /// The total time of the rejected requests, in seconds when serialized.
    #[serde(serialize_with = "serialize_seconds")]
    pub cost: Duration,
    /// The host stated the number in its responses.
    pub is_advertised: bool,
}

/// The outcome of a run.
#[derive(Debug)]
pub struct Run {
    /// In the order of the jobs.
    pub outcomes: Vec<Outcome>,
    /// The number of worker threads, each of which uses one connection at a time.
    pub workers: usize,
    /// From the start of the first thread until the end of the last.
    pub wall: Duration,
    /// When the run started.
    pub started: SystemTime,
    /// One for each host whose limit was found.
    pub limits: Vec<LearntLimit>,
    /// The names of the servers (`Server`, RFC 9110 §10.2.4), each once.
    pub servers: Vec<String>,
}

impl Run {
    /// The number of URLs that failed.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.result.is_err()).count()
    }

    /// The total length of the fetched files, with the parts that were resumed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.outcomes.iter().flat_map(|outcome| &outcome.result).map(Saved::fetched_bytes).sum()
    }

    /// The total time of all fetches without their waiting. A sequential run would take at most this long:
    /// concurrent fetches slow each other down, as they share a link and a processor.
    #[must_use]
    pub fn sum_of_fetches(&self) -> Duration {
        let busy = |outcome: &Outcome| outcome.took.saturating_sub(outcome.phases.waiting);
        self.outcomes.iter().map(busy).sum()
    }
}

impl Saved {
    /// The checksum by this algorithm, if it was requested or verified.
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
