//! The interface through which a run reports its progress.

use std::time::Duration;

use super::error::FetchError;
use super::results::outcome::Outcome;

/// Receives the events of a run from all workers concurrently. `job` is the index of the job.
pub trait Observer: Sync {
    /// A worker has started the job.
    fn started(&self, _job: usize) {}

    /// The content begins to arrive. `bytes` is the complete length, if the server sent it, and `present` of
    /// them are there already.
    fn content_started(&self, _job: usize, _bytes: Option<u64>, _present: u64) {}

    /// More bytes of the content have arrived.
    fn received(&self, _job: usize, _bytes: usize) {}

    /// An attempt failed, and the next one follows after `wait`.
    fn retrying(&self, _job: usize, _error: &FetchError, _wait: Duration) {}

    /// The job succeeded or failed.
    fn finished(&self, _job: usize, _outcome: &Outcome) {}
}

/// Ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
