//! Waiting for a condition in unit tests.

use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until the condition holds; panics after [`PATIENCE`].
#[track_caller]
pub(super) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started_at = Instant::now();
    while !condition() {
        assert!(started_at.elapsed() < PATIENCE, "timed out waiting until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
