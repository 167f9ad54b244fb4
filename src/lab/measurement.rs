//! What one run is, as plain values: each fetch with its phases, and the run with its wall time.
//!
//! This is the interface between whoever fetches and the laboratory. Offsets count from the start of
//! the run, so that no clock is needed to read them. Nothing is judged here.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::client::{self, Phases};

/// One run: every URL fetched once, with so many connections, from cold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRecord {
    /// The greatest number of connections that the run was allowed.
    pub concurrency: usize,
    /// From the start of the run until its last fetch was over, bodies written.
    #[serde(serialize_with = "seconds")]
    pub wall: Duration,
    /// One record for each URL, in the order of the URLs, the same in every run.
    pub fetches: Vec<FetchRecord>,
    /// How many connections the host was found to bear, where it refused more.
    pub host_limit: Option<usize>,
    /// The share of the machine's processors that was busy during the run, 0 to 1, where it is known.
    pub processor_busy: Option<f64>,
}

/// What became of one URL in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FetchRecord {
    /// The URL as it was asked for.
    #[serde(serialize_with = "text")]
    pub url: Arc<str>,
    /// The length of the body that arrived, in bytes.
    pub bytes: u64,
    /// How it ended.
    pub ending: Ending,
    /// The hash of the body in hexadecimal, by one algorithm for all runs; `None` if it was not hashed.
    pub digest: Option<String>,
    /// The connection that fetched it, counted from 0: the index of its worker.
    pub lane: usize,
    /// When its lane took it up, from the start of the run.
    #[serde(serialize_with = "seconds")]
    pub start: Duration,
    /// Where the time went.
    #[serde(serialize_with = "named_phases")]
    pub phases: Phases,
    /// How often it was tried, the first time included.
    pub attempts: u32,
    /// How many of the attempts the server turned away (429 or 503).
    pub rejections: u32,
}

/// The end of a fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The whole body arrived, with this status.
    Complete(u16),
    /// It did not, and this is why, in words for a person.
    Failed(String),
}

impl FetchRecord {
    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match &self.ending {
            Ending::Complete(_) => None,
            Ending::Failed(reason) => Some(reason),
        }
    }

    /// The time in which the fetch made progress: neither queued nor waiting.
    #[must_use]
    pub fn busy(&self) -> Duration {
        let Phases { queue: _, waiting: _, dns, connect, tls, first_byte, transfer } = self.phases;
        dns + connect + tls + first_byte + transfer
    }

    /// How long the fetch was under way: busy or waiting.
    #[must_use]
    pub fn held(&self) -> Duration {
        self.phases.waiting + self.busy()
    }

    /// When its lane was free again, from the start of the run.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.start + self.held()
    }
}

impl RunRecord {
    /// The bytes of all bodies.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.fetches.iter().map(|fetch| fetch.bytes).sum()
    }

    /// How many attempts there were beyond the first of each URL.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.fetches.iter().map(|fetch| u64::from(fetch.attempts.saturating_sub(1))).sum()
    }

    /// How many attempts the server turned away.
    #[must_use]
    pub fn rejections(&self) -> u64 {
        self.fetches.iter().map(|fetch| u64::from(fetch.rejections)).sum()
    }

    /// The busy time of all fetches together.
    #[must_use]
    pub fn busy(&self) -> Duration {
        self.fetches.iter().map(FetchRecord::busy).sum()
    }

    /// The waiting time of all fetches together.
    #[must_use]
    pub fn waiting(&self) -> Duration {
        self.fetches.iter().map(|fetch| fetch.phases.waiting).sum()
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(client::seconds(*duration))
}

fn named_phases<S: Serializer>(phases: &Phases, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(phases.named().map(|(name, time)| (name, client::seconds(time))))
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
