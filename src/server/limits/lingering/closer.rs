//! Takes connections that are not served, or no longer, and closes them without blocking the caller.
//!
//! The number of sockets is bounded. Beyond the bound, the oldest that waits for its request is answered
//! at once, and the oldest that lingers is closed. The caller does that itself, so that sockets cannot
//! come faster than they go.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::encoded_response::EncodedResponse;
use super::lingering_socket::LingeringSocket;
use super::pending_request::{Head, PendingRequest, RequestProgress, Rest};
use super::sockets::Entry;
use super::worker::{Stage, State, Worker};
use crate::server::threads::{PARK_TIMEOUT, Threads};

/// Stack size of the thread.
const STACK_BYTES: usize = 64 * 1024;

/// How long the shutdown waits for the thread, which itself waits for no peer.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends last responses and closes connections. One thread serves all sockets; it ends when there has
/// been none for [`PARK_TIMEOUT`].
#[derive(Debug)]
pub(crate) struct LingeringCloser {
    worker: Arc<Worker>,
    /// At most one of them runs.
    thread: Threads<Arc<Worker>>,
    /// Most sockets that wait or linger.
    capacity: usize,
}

impl LingeringCloser {
    /// Uses at most `descriptors` for sockets. Half of them are for sockets that are evicted while the
    /// thread polls them, and so stay open until it returns.
    ///
    /// # Errors
    /// The system cannot make a pipe.
    pub(crate) fn new(descriptors: usize) -> io::Result<Self> {
        Ok(Self {
            worker: Arc::new(Worker::new()?),
            thread: Threads::new("lingering", STACK_BYTES, PARK_TIMEOUT),
            capacity: (descriptors / 2).max(1),
        })
    }

    /// Sends `response` once the head of the request has come, or after [`HEAD_TIMEOUT`], and closes the
    /// connection; does not wait for that. `progress` tells how much of the request has been read.
    ///
    /// [`HEAD_TIMEOUT`]: super::pending_request::HEAD_TIMEOUT
    pub(crate) fn answer(
        &self,
        stream: impl Into<Arc<TcpStream>>,
        progress: RequestProgress,
        response: EncodedResponse,
    ) {
        let mut pending = PendingRequest::new(stream.into(), progress, response, Instant::now());
        match pending.answer_at_once() {
            Rest::Nothing => return,
            Rest::Linger => return self.linger(pending.stream),
            Rest::Wait => {}
        }
        if let Some(mut oldest) = self.add(Entry::Pending(pending))
            // Its request may have come since the thread last read from it.
            && oldest.read_head_briefly() != Head::Gone
            && oldest.send()
        {
            self.linger(oldest.stream);
        }
    }

    /// Closes the connection once the peer has closed it, or has had its time; does not wait for that.
    pub(crate) fn close(&self, stream: impl Into<Arc<TcpStream>>) {
        let stream = stream.into();
        // Fails only if the connection is gone already.
        if stream.shutdown(Shutdown::Write).is_ok() {
            self.linger(stream);
        }
    }

    fn linger(&self, stream: Arc<TcpStream>) {
        self.add(Entry::Lingering(LingeringSocket::new(stream, Instant::now())));
    }

    /// Adds a socket. Closes the oldest that linger, if there are too many sockets. If the new one is
    /// pending and too many are, returns the oldest of them.
    fn add(&self, entry: Entry) -> Option<PendingRequest> {
        let mut state = self.worker.lock();
        if state.stage == Stage::ShuttingDown {
            drop(state);
            entry.close();
            return None;
        }
        let is_pending = matches!(entry, Entry::Pending(_));
        state.sockets.add(entry);
        let pending =
            if is_pending { state.sockets.evict_pending(self.max_pending()) } else { None };
        let lingering = state.sockets.evict_lingering(self.capacity);
        self.wake_or_start(state);
        lingering.into_iter().for_each(LingeringSocket::evict);
        pending
    }

    /// Most sockets that wait for a request. The rest of the capacity is for those that linger.
    fn max_pending(&self) -> usize {
        self.capacity / 4 * 3
    }

    /// Releases the lock, and wakes or starts the thread.
    fn wake_or_start(&self, mut state: MutexGuard<'_, State>) {
        if state.stage == Stage::Running {
            return self.worker.wake(state);
        }
        state.stage = Stage::Running;
        drop(state);
        if self.thread.dispatch(Arc::clone(&self.worker), |worker| worker.run()).is_err() {
            // Without a thread nothing can be waited for.
            self.worker.close_all();
        }
    }

    /// Sends the responses that wait, closes all sockets and returns when that is done. At the end of
    /// the process the kernel would close them as well, but with RST where a peer has sent more, and so
    /// destroy responses on their way.
    pub(crate) fn shut_down(&self) {
        let mut state = self.worker.lock();
        state.stage = Stage::ShuttingDown;
        self.worker.wake(state);
        if self.thread.finish(SHUTDOWN_TIMEOUT) > 0 {
            log::debug!("lingering sockets are left for the end of the process to close");
        }
    }

    /// How many sockets wait or linger at present.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.worker.lock().sockets.count()
    }
}

impl Drop for LingeringCloser {
    fn drop(&mut self) {
        self.shut_down();
    }
}

#[cfg(test)]
mod tests;
