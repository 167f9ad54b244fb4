//! The record of a run: its wall time, and each fetch with its phases.
//!
//! This is the interface between an executor and the analysis. Offsets are counted from the start of the
//! run. Times are serialized in seconds, to the nanosecond: all figures can be computed from them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::client::{LearntLimit, Phases};

/// One run, which fetched every URL once and started without connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRecord {
    /// The maximum number of connections.
    pub concurrency: usize,
    /// The position in the experiment, from 0, which is the warm-up.
    pub order: usize,
    /// When the run began, from the start of the experiment.
    #[serde(serialize_with = "seconds")]
    pub start: Duration,
    /// The time from the start of the run until its last body was written.
    #[serde(serialize_with = "seconds")]
    pub wall: Duration,
    /// One record for each URL, in the same order in every run.
    pub fetches: Vec<FetchRecord>,
    /// The hosts whose limit became known, with it.
    pub host_limits: Vec<LearntLimit>,
    /// The processor time of this process, in user and system mode together, if known.
    #[serde(serialize_with = "optional_seconds")]
    pub own_cpu: Option<Duration>,
    /// The time of the machine's processors, if known.
    pub machine_cpu: Option<MachineCpu>,
}

/// The time of all processors of a machine together, in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MachineCpu {
    /// Neither idle nor waiting for a disk.
    #[serde(serialize_with = "seconds")]
    pub busy: Duration,
    /// The number of processors times the period.
    #[serde(serialize_with = "seconds")]
    pub total: Duration,
}

impl MachineCpu {
    /// The utilisation, 0 to 1.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        if self.total.is_zero() { 0.0 } else { self.busy.div_duration_f64(self.total) }
    }
}

/// The fetch of one URL in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FetchRecord {
    /// The requested URL. (Documents have it once for all runs.)
    #[serde(skip)]
    pub url: Arc<str>,
    /// The length of the received body in bytes.
    pub bytes: u64,
    /// Whether it succeeded.
    pub ending: Ending,
    /// The hash of the body in hexadecimal, with the same algorithm in all runs; `None` if not hashed.
    pub digest: Option<String>,
    /// The worker that fetched it, counted from 0. Each worker uses one connection at a time.
    pub lane: usize,
    /// When the worker took the URL, from the start of the run.
    #[serde(serialize_with = "seconds")]
    pub start: Duration,
    /// Where the time went.
    #[serde(serialize_with = "named_phases")]
    pub phases: Phases,
    /// The number of attempts, including the first.
    pub attempts: u32,
    /// The number of attempts that the server rejected (429 or 503).
    pub rejections: u32,
}

/// The result of a fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The whole body was received, with this status code.
    Complete(u16),
    /// The fetch failed, for this reason.
    Failed(String),
}

impl FetchRecord {
    /// The reason of a failure.
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
        let Phases { queue, waiting, .. } = self.phases;
        self.phases.total().saturating_sub(queue + waiting)
    }

    /// The time from the start to the end of the fetch: busy or waiting.
    #[must_use]
    pub fn held(&self) -> Duration {
        self.phases.waiting + self.busy()
    }

    /// When the fetch ended, from the start of the run.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.start + self.held()
    }
}

impl RunRecord {
    /// A run of which nothing else is known, the first of its experiment.
    #[must_use]
    pub fn new(concurrency: usize, wall: Duration, fetches: Vec<FetchRecord>) -> Self {
        Self {
            concurrency,
            order: 0,
            start: Duration::ZERO,
            wall,
            fetches,
            host_limits: Vec::new(),
            own_cpu: None,
            machine_cpu: None,
        }
    }

    /// The lowest number of connections that a host accepts, if it is less than the run could have used.
    #[must_use]
    pub fn host_limit(&self) -> Option<usize> {
        let usable = self.concurrency.min(self.fetches.len());
        let limits = self.host_limits.iter().map(|limit| limit.connections);
        limits.filter(|limit| *limit < usable).min()
    }

    /// The number of lanes up to the last one that fetched something.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.fetches.iter().map(|fetch| fetch.lane + 1).max().unwrap_or(0)
    }

    /// The bytes of all bodies.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.fetches.iter().map(|fetch| fetch.bytes).sum()
    }

    /// The number of attempts after the first of each URL.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.fetches.iter().map(|fetch| u64::from(fetch.attempts.saturating_sub(1))).sum()
    }

    /// The number of attempts that servers rejected.
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
    serializer.serialize_f64(duration.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn optional_seconds<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

fn named_phases<S: Serializer>(phases: &Phases, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(phases.named().map(|(name, time)| (name, time.as_secs_f64())))
}
