//! A run as JSON, for programs.
//!
//! The document is one object. New fields may be added; a change of a field's meaning raises `version`. Times
//! are in seconds, lengths in bytes, and offsets from the start of the run.
//!
//! | field | meaning |
//! |---|---|
//! | `version` | 2; in 1 `transfer` included `write` |
//! | `started` | start of the run (RFC 3339, UTC) |
//! | `wall`, `connections` | how long the run took, and its most connections |
//! | `interrupted` | whether the run was stopped before its end |
//! | `urls`, `fetched`, `skipped`, `continued`, `failed` | how many of each |
//! | `bytes`, `received` | length of the fetched files, and bytes received |
//! | `retries` | attempts after the first of each URL |
//! | `took` | how long the fetches took: `p50`, `p90`, `p99`, `max` |
//! | `phases` | their total time in each phase: `queue`, `waiting`, `dns`, `connect`, `tls`, `first_byte`, `transfer`, `write` |
//! | `failures` | failed URLs by cause |
//! | `limits` | for each host whose limit was found: `host`, `connections`, `rejections`, `cost`, `is_advertised` |
//! | `fetches` | one for each URL, in their order |
//!
//! | field of a fetch | meaning |
//! |---|---|
//! | `url`, `redirected_to` | the URL, and the one of the last request if that is another (or null) |
//! | `file`, `bytes` | path and length of the file, or null |
//! | `sha1`, `sha256`, `sha512` | its checksums, each null if neither requested nor verified |
//! | `status` | status of the last response, or null |
//! | `continued_from` | length of the part that was resumed |
//! | `skipped` | whether the file existed and was kept |
//! | `error`, `cause` | message and kind of the failure, or null |
//! | `connection` | the worker that fetched it, from 0 |
//! | `start`, `took` | when it was started, and how long it took |
//! | `attempts`, `rejections`, `received` | attempts, those that were rejected, and bytes received |
//! | `phases` | as above |

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::outcome::{LearntLimit, Outcome, Phases, Retrieval, Run};
use super::seconds::seconds;
use crate::client::error::FetchError;
use crate::client::error_chain::error_chain;
use crate::client::plan::checksum::Algorithm;
use crate::client::plan::job::Job;
use crate::client::redact::redacted_url;
use crate::printable::{self, JsonLayout};

/// Writes a run as JSON.
///
/// # Errors
/// If the writer fails.
pub fn write_json(out: impl Write, jobs: &[Job], run: &Run, interrupted: bool) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let document = Document::of(jobs, run, interrupted);
    printable::write_json(&document, JsonLayout::Indented, &mut out)?;
    out.write_all(b"\n")?;
    out.flush()
}

#[derive(Serialize)]
struct Document<'r> {
    version: u32,
    started: String,
    wall: f64,
    connections: usize,
    interrupted: bool,
    urls: usize,
    fetched: usize,
    skipped: usize,
    continued: usize,
    failed: usize,
    bytes: u64,
    received: u64,
    retries: u64,
    took: BTreeMap<&'static str, f64>,
    phases: BTreeMap<&'static str, f64>,
    failures: BTreeMap<String, usize>,
    limits: &'r [LearntLimit],
    fetches: Fetches<'r>,
}

/// Serialized one by one, so that a long run is not in memory twice.
struct Fetches<'r> {
    jobs: &'r [Job],
    outcomes: &'r [Outcome],
}

#[derive(Serialize)]
struct Fetch<'r> {
    url: Cow<'r, str>,
    redirected_to: Option<Cow<'r, str>>,
    file: Option<String>,
    bytes: Option<u64>,
    sha1: Option<String>,
    sha256: Option<String>,
    sha512: Option<String>,
    status: Option<u16>,
    continued_from: u64,
    skipped: bool,
    error: Option<String>,
    cause: Option<String>,
    connection: usize,
    start: f64,
    took: f64,
    attempts: u32,
    rejections: u32,
    received: u64,
    phases: BTreeMap<&'static str, f64>,
}

impl<'r> Document<'r> {
    fn of(jobs: &'r [Job], run: &'r Run, interrupted: bool) -> Self {
        let summary = run.summary();
        let took = [
            ("p50", summary.took.p50),
            ("p90", summary.took.p90),
            ("p99", summary.took.p99),
            ("max", summary.took.max),
        ];
        let causes =
            summary.failures_by_kind.iter().map(|(cause, count)| (cause.to_string(), *count));
        Self {
            version: 2,
            started: started(run),
            wall: seconds(run.wall),
            connections: run.workers,
            interrupted,
            urls: run.outcomes.len(),
            fetched: summary.fetched,
            skipped: summary.skipped,
            continued: summary.continued,
            failed: summary.failed,
            bytes: summary.bytes,
            received: summary.received,
            retries: summary.retries,
            took: took.map(|(name, time)| (name, seconds(time))).into(),
            phases: phases(&summary.phases),
            failures: causes.collect(),
            limits: &run.limits,
            fetches: Fetches { jobs, outcomes: &run.outcomes },
        }
    }
}

impl Serialize for Fetches<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.outcomes.len()))?;
        for (job, outcome) in self.jobs.iter().zip(self.outcomes) {
            sequence.serialize_element(&Fetch::of(job, outcome))?;
        }
        sequence.end()
    }
}

impl<'r> Fetch<'r> {
    fn of(job: &'r Job, outcome: &'r Outcome) -> Self {
        let saved = outcome.result.as_ref().ok();
        let error = outcome.result.as_ref().err();
        let checksum =
            |algorithm| saved.and_then(|saved| saved.checksum(algorithm)).map(ToString::to_string);
        let (status, continued_from) = match saved.map(|saved| saved.retrieval) {
            Some(Retrieval::Fetched { status, continued_from }) => {
                (Some(status.code()), continued_from)
            }
            Some(Retrieval::Skipped) => (None, 0),
            None => (error.and_then(status_of), 0),
        };
        Self {
            url: redacted_url(&job.url),
            redirected_to: outcome.redirected_to.as_deref().map(redacted_url),
            file: saved.map(|saved| saved.path.display().to_string()),
            bytes: saved.map(|saved| saved.bytes),
            sha1: checksum(Algorithm::Sha1),
            sha256: checksum(Algorithm::Sha256),
            sha512: checksum(Algorithm::Sha512),
            status,
            continued_from,
            skipped: saved.is_some_and(|saved| saved.retrieval == Retrieval::Skipped),
            error: error.map(|error| error_chain(error)),
            cause: error.map(|error| error.kind().to_string()),
            connection: outcome.worker,
            start: seconds(outcome.phases.queue),
            took: seconds(outcome.took),
            attempts: outcome.attempts,
            rejections: outcome.rejections,
            received: outcome.received,
            phases: phases(&outcome.phases),
        }
    }
}

/// The start of a run (RFC 3339).
pub(super) fn started(run: &Run) -> String {
    // The format ends with the year 9999.
    Timestamp::try_from(run.started).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// The status of the response that failed.
pub(super) fn status_of(error: &FetchError) -> Option<u16> {
    match error {
        FetchError::Status { status, .. }
        | FetchError::RetryLater { status, was_asked: true, .. }
        | FetchError::MissingLocation(status)
        | FetchError::ConflictingLocations { status, .. } => Some(status.code()),
        _ => None,
    }
}

fn phases(phases: &Phases) -> BTreeMap<&'static str, f64> {
    phases.named().map(|(name, time)| (name, seconds(time))).into()
}
