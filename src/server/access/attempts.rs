//! Verifications of passwords, one thread each, which wait until `places` lets them begin.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::places::{Applicant, PlaceLimits, Places, Ticket, Turn};
use crate::lock::lock;

/// The response to a wrong password is sent this long after its verification began, which hides how long that
/// took.
pub(super) const FAILURE_DELAY: Duration = Duration::from_secs(1);

/// How long a connection waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// All verifications at present.
#[derive(Debug)]
pub(super) struct Attempts {
    places: Mutex<Places>,
    is_stopping: AtomicBool,
}

/// The right to verify a password, which ends when it is dropped.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    ticket: Ticket,
    began_at: Instant,
}

impl Attempts {
    pub(super) fn new(limits: PlaceLimits) -> Self {
        Self { places: Mutex::new(Places::new(limits)), is_stopping: AtomicBool::new(false) }
    }

    /// Waits until a password of this client may be verified. `None` if too many wait, or it has waited too long,
    /// or the server is stopping.
    pub(super) fn begin(&self, applicant: Applicant) -> Option<Attempt<'_>> {
        let arrived_at = Instant::now();
        let ticket = lock(&self.places).take(applicant, thread::current(), arrived_at)?;
        // From here on, dropping it leaves the place.
        let mut attempt = Attempt { attempts: self, ticket, began_at: arrived_at };
        loop {
            if self.is_stopping() {
                return None;
            }
            let now = Instant::now();
            let turn = lock(&self.places).turn(ticket, now);
            let until = match turn {
                Turn::Run => {
                    attempt.began_at = now;
                    return Some(attempt);
                }
                Turn::Evicted => return None,
                Turn::Wait(until) => until.unwrap_or(arrived_at + MAX_WAIT),
            };
            if now >= arrived_at + MAX_WAIT {
                return None;
            }
            thread::park_timeout(until.min(arrived_at + MAX_WAIT) - now);
        }
    }

    /// Ends all waiting and all delays, and those that come later.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        lock(&self.places).clear();
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.places).count()
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }
}

impl Attempt<'_> {
    /// The password was right.
    pub(super) fn succeed(self) {
        lock(&self.attempts.places).succeed(self.ticket);
    }

    /// The password was wrong: waits until the response may be sent. The delay is shorter if the place is
    /// needed for a client that has sent fewer wrong passwords.
    pub(super) fn delay_failure(self) {
        lock(&self.attempts.places).fail(self.ticket, Instant::now());
        let end = self.began_at + FAILURE_DELAY;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let is_over = left.is_zero()
                || self.attempts.is_stopping()
                || lock(&self.attempts.places).is_gone(self.ticket);
            if is_over {
                return;
            }
            thread::park_timeout(left);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        lock(&self.attempts.places).leave(self.ticket, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::server::test_wait::wait_until;

    const LIMITS: PlaceLimits = PlaceLimits { running: 1, unknown: 20, suspects: 1 };

    fn client(failures: u64) -> Applicant {
        Applicant { client: Some(Ipv4Addr::LOCALHOST.into()), is_known: false, failures }
    }

    #[test]
    fn one_attempt_follows_the_other() {
        let attempts = Attempts::new(LIMITS);
        let running = attempts.begin(client(0)).unwrap();
        thread::scope(|scope| {
            let waiting: Vec<_> =
                (0..9).map(|_| scope.spawn(|| attempts.begin(client(0)).is_some())).collect();
            drop(running);
            assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
        });
        assert!(attempts.begin(client(0)).is_some(), "all have left");
    }

    #[test]
    fn a_failure_is_delayed_and_a_stop_ends_all_waiting() {
        let attempts = Attempts::new(LIMITS);
        let wrong = attempts.begin(client(0)).unwrap();
        let began_at = wrong.began_at;
        wrong.delay_failure();
        assert!(began_at.elapsed() >= FAILURE_DELAY);
        let _running = attempts.begin(client(0)).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| attempts.begin(client(1)).is_none());
            wait_until("it waits", || attempts.count() == 2);
            assert!(attempts.begin(client(1)).is_none(), "there is one place for suspects");
            attempts.stop();
            assert!(waiting.join().unwrap());
        });
        assert!(attempts.begin(client(0)).is_none());
    }
}
