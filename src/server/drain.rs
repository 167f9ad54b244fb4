//! The end of the server: requests that have come are answered, within a bound on the time, and all connections are
//! closed.
//!
//! Meanwhile connections that wait for a slot get those that become free, and passwords are verified. What is left at
//! the end is refused, or cut off.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::limits::slot_queue::SlotQueue;
use super::service::Service;
use super::stop::Stopper;

/// Poll interval while draining.
const DRAIN_POLL: Duration = Duration::from_millis(50);

/// How long a connection without the first byte of a request may be open while draining: it may be on its way.
const FRESH_GRACE: Duration = Duration::from_secs(1);

/// How long those that wait for a password to be verified have to send their refusal.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(100);

/// How long threads may take to end once their connections are closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Closes idle connections, also those that become idle or are registered only now, waits up to [`Timeouts::drain`] for
/// the others and for those that wait for a slot, and then closes those too. `queue` is the thread of those that wait.
/// Returns how many threads of connections are left nevertheless.
///
/// [`Timeouts::drain`]: super::config::Timeouts::drain
pub(super) fn drain(service: &Service, stopper: &Stopper, queue: Option<JoinHandle<()>>) -> usize {
    let timeout = service.timeouts.drain;
    log::info!(
        "stopping: {} open connections have {timeout:?} to finish",
        service.registry.count()
    );
    service.begin_drain();
    let draining = Draining { service, stopper, started_at: Instant::now() };
    draining.finish();
    service.queue.iter().for_each(SlotQueue::stop);
    // An error means that it panicked, which the panic hook has reported.
    let _ = queue.map(JoinHandle::join);
    // The queue may have started one more.
    let mut left = draining.finish();
    if let Some(authenticator) = &service.authenticator {
        authenticator.stop();
        left = service.threads.finish(REFUSAL_TIMEOUT);
    }
    if left > 0 {
        log::warn!("{left} connections did not finish in time and are closed");
        service.registry.close_all();
        left = service.threads.finish(CLOSE_TIMEOUT);
    }
    left
}

/// A server that drains.
struct Draining<'s> {
    service: &'s Service,
    stopper: &'s Stopper,
    started_at: Instant,
}

impl Draining<'_> {
    /// Waits until no connection is left and none waits for a slot, or the time is over. Returns how many threads are
    /// left.
    fn finish(&self) -> usize {
        loop {
            self.service.registry.close_idle(FRESH_GRACE);
            let left = self.service.threads.finish(DRAIN_POLL.min(self.time_left()));
            let is_done = left == 0 && !self.service.lets_wait();
            if is_done || self.time_left().is_zero() {
                return left;
            }
            if left == 0 {
                // The queue is about to start a thread, or the system cannot start any.
                thread::sleep(DRAIN_POLL);
            }
        }
    }

    fn time_left(&self) -> Duration {
        if self.stopper.is_stopping_at_once() {
            return Duration::ZERO;
        }
        self.service.timeouts.drain.saturating_sub(self.started_at.elapsed())
    }
}
