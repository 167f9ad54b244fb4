//! Stops runs: a flag that wakes all waiting threads.
//!
//! Every open socket is registered, since a blocked read can only be ended by shutting its socket down.
//! Incomplete files are kept.

use std::collections::HashMap;
use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::lock::{lock, wait_timeout};

/// Why a run ends before its jobs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The user or a signal asked for it.
    Interrupted,
    /// The time limit of the run was reached.
    OutOfTime,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "interrupted",
            Self::OutOfTime => "the time limit of the run was reached",
        })
    }
}

/// Stops the runs that were given it. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    reason: Option<StopReason>,
    sockets: HashMap<u64, Weak<TcpStream>>,
    next_socket: u64,
}

/// The registration of a socket, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    stop: Stop,
    number: u64,
}

impl Stop {
    /// Stops the runs. Only the first reason counts.
    pub fn stop(&self, reason: StopReason) {
        let mut state = lock(&self.shared.state);
        state.reason.get_or_insert(reason);
        let sockets: Vec<_> = state.sockets.values().filter_map(Weak::upgrade).collect();
        drop(state);
        self.shared.changed.notify_all();
        for socket in sockets {
            // Fails if the peer has closed it already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Why the runs were stopped, if they were.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        lock(&self.shared.state).reason
    }

    /// Waits for a stop or until `is_done`, which is evaluated at each [`Stop::wake`]. False if `time` was
    /// reached first.
    pub(super) fn wait_until(&self, time: Option<Instant>, is_done: impl Fn() -> bool) -> bool {
        let mut state = lock(&self.shared.state);
        while state.reason.is_none() && !is_done() {
            let wait = match time.map(|time| time.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return false,
                // Without a time the loop waits again after a day.
                wait => wait.unwrap_or(Duration::from_secs(24 * 3600)),
            };
            state = wait_timeout(&self.shared.changed, state, wait);
        }
        true
    }

    /// Makes the waiting threads evaluate their conditions.
    pub(super) fn wake(&self) {
        // Under the lock no thread is between its evaluation and its wait.
        let _state = lock(&self.shared.state);
        self.shared.changed.notify_all();
    }

    /// Registers a socket. After a stop it is shut down at once.
    pub(super) fn register(&self, socket: &Arc<TcpStream>) -> Registration {
        let mut state = lock(&self.shared.state);
        let number = state.next_socket;
        state.next_socket += 1;
        state.sockets.insert(number, Arc::downgrade(socket));
        if state.reason.is_some() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        Registration { stop: self.clone(), number }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&self.stop.shared.state).sockets.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_read_and_a_wait_end_when_the_run_does() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let stop = Stop::default();
        let registration = stop.register(&socket);
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!((&*socket).read(&mut [0]).unwrap(), 0));
            scope.spawn(|| assert!(stop.wait_until(None, || false)));
            stop.stop(StopReason::Interrupted);
            stop.stop(StopReason::OutOfTime);
        });
        assert_eq!(stop.reason(), Some(StopReason::Interrupted));
        drop(registration);
        assert!(lock(&stop.shared.state).sockets.is_empty());
        let late = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let _registration = stop.register(&late);
        assert_eq!((&*late).read(&mut [0]).unwrap(), 0, "it was shut down");
    }
}
