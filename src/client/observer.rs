//! Who is told how a run goes, while it goes.

use std::time::Duration;

use super::error::FetchError;
use super::results::outcome::Outcome;

/// Is told how a run goes, by all workers at once. Jobs are named by their position.
pub trait Observer: Sync {
    /// A worker has taken the job up.
    fn started(&self, _job: usize) {}

    /// Its content begins to come, of this length in all where the server says it; so much of it is
    /// there from before.
    fn content_started(&self, _job: usize, _bytes: Option<u64>, _already: u64) {}

    /// So many more bytes of it have come.
    fn received(&self, _job: usize, _bytes: usize) {}

    /// An attempt failed, and the next is made after so long.
    fn retrying(&self, _job: usize, _error: &FetchError, _wait: Duration) {}

    /// The job is done, one way or the other.
    fn finished(&self, _job: usize, _outcome: &Outcome) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
