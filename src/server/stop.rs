//! Stopping the server: the wish to stop, and what is left of the time in which it still accepts connections.
//!
//! ```text
//! serving ─▶ stopping, still accepting ─▶ accepts no more ─▶ drained
//!     stop()                    the delay is over, or stop_at_once()
//! ```
//!
//! With a delay the server says that it is leaving before it leaves: health checks fail, and kept connections are
//! closed after their next response, so that a balancer sends its requests elsewhere. What is accepted until then
//! is served as ever.

use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::iter;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Poll interval for the end of the delay, which `stop_at_once` may end early.
const DELAY_POLL: Duration = Duration::from_millis(50);

/// Stops the server from another thread.
#[derive(Clone, Debug)]
pub struct Stopper {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// How long connections are accepted after [`Stopper::stop`].
    delay: Duration,
    requested_at: OnceLock<Instant>,
    at_once: AtomicBool,
    /// A byte in the pipe wakes all accept loops, as nobody takes it out.
    reader: PipeReader,
    writer: PipeWriter,
}

impl Stopper {
    /// # Errors
    /// The system cannot make a pipe.
    pub(super) fn new(delay: Duration) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let (requested_at, at_once) = (OnceLock::new(), AtomicBool::new(false));
        Ok(Self { state: Arc::new(State { delay, requested_at, at_once, reader, writer }) })
    }

    /// Has the server accept no more connections once the delay has passed, drain and stop. Does not wait for it.
    pub fn stop(&self) {
        let State { delay, requested_at, writer, .. } = &*self.state;
        if requested_at.set(Instant::now()).is_err() {
            return;
        }
        if !delay.is_zero() {
            log::info!("unready: connections are accepted for another {delay:?}");
        }
        // The reader is open as long as the writer, and the pipe is empty: it does not fail.
        let _ = (&*writer).write(&[0]);
    }

    /// Stops the server without a delay, and without letting transfers finish. Does not wait for it.
    pub fn stop_at_once(&self) {
        self.state.at_once.store(true, Ordering::Release);
        self.stop();
    }

    /// True from [`Stopper::stop`] on.
    pub(super) fn is_stopping(&self) -> bool {
        self.state.requested_at.get().is_some()
    }

    pub(super) fn is_stopping_at_once(&self) -> bool {
        self.state.at_once.load(Ordering::Acquire)
    }

    /// True once no more connections are to be accepted.
    pub(super) fn accepts_no_more(&self) -> bool {
        self.delay_left().is_some_and(|left| left.is_zero())
    }

    /// What is left of the delay; `None` before [`Stopper::stop`].
    fn delay_left(&self) -> Option<Duration> {
        let requested_at = self.state.requested_at.get()?;
        if self.is_stopping_at_once() {
            return Some(Duration::ZERO);
        }
        Some(self.state.delay.saturating_sub(requested_at.elapsed()))
    }

    /// Waits until `listener` has a connection, or until it may be time to accept no more.
    pub(super) fn wait_for_connection(&self, listener: impl AsFd) {
        let delay_left = self.delay_left();
        let waker = delay_left.is_none().then(|| self.state.reader.as_fd());
        let timeout = delay_left.and_then(|left| Timespec::try_from(left.min(DELAY_POLL)).ok());
        let fds = iter::once(listener.as_fd()).chain(waker);
        let mut fds: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        // After an error, such as EINTR, the caller tries again.
        let _ = poll(&mut fds, timeout.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn connections_are_accepted_until_the_delay_is_over_or_cut_short() {
        for (delay, is_cut_short) in [(Duration::ZERO, false), (LONG, true)] {
            let stopper = Stopper::new(delay).unwrap();
            assert!(!stopper.is_stopping() && !stopper.accepts_no_more(), "{delay:?}");
            stopper.stop();
            assert!(stopper.is_stopping(), "{delay:?}");
            assert_eq!(stopper.accepts_no_more(), delay.is_zero(), "{delay:?}");
            stopper.stop();
            assert!(!stopper.is_stopping_at_once(), "{delay:?}: a second wish is the same wish");
            if is_cut_short {
                stopper.stop_at_once();
                assert!(stopper.accepts_no_more() && stopper.is_stopping_at_once());
            }
        }
    }

    #[test]
    fn a_stop_ends_every_wait_for_a_connection() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        for delay in [Duration::ZERO, LONG] {
            let stopper = &Stopper::new(delay).unwrap();
            thread::scope(|scope| {
                for listener in &listeners {
                    scope.spawn(move || {
                        // Without the wake-up the first wait never ends.
                        while !stopper.accepts_no_more() {
                            stopper.wait_for_connection(listener);
                        }
                    });
                }
                stopper.stop();
                stopper.stop_at_once();
            });
        }
    }
}
