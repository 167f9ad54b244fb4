//! The loop of the thread that serves all sockets, and the state that it shares with the closer.
//!
//! The lock is not held while a socket is read from, as the accept loop must not wait for a flood to be
//! read. So the worker takes out one socket at a time, and the bound on their number holds for all
//! others meanwhile.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use std::{io, mem, thread};

use super::poller::Poller;
use super::sockets::{Entry, Sockets, Watched};
use crate::lock::lock;

/// The pause between two rounds, so that a flood is handled in batches.
const ROUND_PAUSE: Duration = Duration::from_millis(1);

/// Added to the pause for each socket, as each round iterates over all of them.
const ROUND_PAUSE_PER_SOCKET: Duration = Duration::from_micros(1);

#[derive(Debug)]
pub(super) struct Worker {
    state: Mutex<State>,
    poller: Poller,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) sockets: Sockets,
    pub(super) stage: Stage,
    /// True if a byte is in the poller's pipe, or about to be.
    is_woken: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is no socket, and the thread is parked or has ended.
    #[default]
    Idle,
    /// The thread is running.
    Running,
    /// All sockets are closed at once, also those that are added later.
    ShuttingDown,
}

impl Worker {
    /// # Errors
    /// The system cannot make a pipe.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { state: Mutex::default(), poller: Poller::new()? })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Serves the sockets in rounds, until there is none or the stage is [`Stage::ShuttingDown`].
    pub(super) fn run(&self) {
        let mut scratch = vec![0; 64 * 1024];
        loop {
            let mut state = self.lock();
            if state.stage == Stage::ShuttingDown {
                break;
            }
            if state.sockets.count() == 0 {
                state.set_idle();
                return;
            }
            let Watched { sockets, deadline } = state.sockets.watched();
            drop(state);
            let ready = self.poller.wait(&sockets, deadline);
            let count = u32::try_from(sockets.len()).unwrap_or(u32::MAX);
            // Closes those that were evicted meanwhile: these are their last references.
            drop(sockets);
            if ready.is_woken {
                self.lock().is_woken = false;
            }
            self.serve(&ready.keys, &mut scratch);
            thread::sleep(ROUND_PAUSE + ROUND_PAUSE_PER_SOCKET * count);
        }
        self.close_all();
    }

    /// Reads from the sockets that are ready, and advances those past their deadline.
    fn serve(&self, ready: &[u64], scratch: &mut [u8]) {
        let overdue = self.lock().sockets.overdue(Instant::now());
        for key in ready.iter().chain(&overdue) {
            let taken = self.lock().sockets.take(*key);
            let remaining = taken.and_then(|entry| entry.advance(scratch, Instant::now()));
            self.lock().sockets.put_back(*key, remaining);
        }
    }

    /// Sends the responses that wait, and closes all sockets.
    pub(super) fn close_all(&self) {
        let entries = self.lock().set_idle();
        entries.into_iter().for_each(Entry::close);
    }

    /// Releases the lock and ends the thread's wait, if it waits.
    pub(super) fn wake(&self, mut state: MutexGuard<'_, State>) {
        let is_woken = mem::replace(&mut state.is_woken, true);
        drop(state);
        if !is_woken {
            self.poller.wake();
        }
    }
}

impl State {
    /// Leaves [`Stage::Running`], and removes all sockets.
    fn set_idle(&mut self) -> Vec<Entry> {
        if self.stage == Stage::Running {
            self.stage = Stage::Idle;
        }
        self.sockets.take_all()
    }
}
