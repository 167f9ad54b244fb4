//! One open connection as other threads see it: its client, phase and counters, and its permit.
//!
//! The connection's own thread updates the entry; the status page, the shutdown and the reclaiming of
//! slots read it, and may close the connection and take its permit. An atomic compare-exchange on the
//! phase decides between a request that begins and a close that comes at the same time.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::admission::Permit;
use super::client::Client;
use super::phase::Phase;
use super::rejection::Rejection;
use crate::lock::lock;
use crate::printable::Escaped;

/// Most bytes kept of a request line, which bounds the length of the status page.
const MAX_REQUEST_BYTES: usize = 1024;

/// One open connection.
#[derive(Debug)]
pub(crate) struct ConnectionEntry {
    pub(crate) id: u64,
    pub(crate) client: Client,
    pub(crate) stream: Arc<TcpStream>,
    pub(crate) opened_at: Instant,
    phase: AtomicU8,
    /// When the phase began, in milliseconds since `opened_at`.
    phase_start_ms: AtomicU64,
    pub(crate) requests: AtomicU64,
    /// Bytes of content sent.
    pub(crate) bytes_sent: AtomicU64,
    /// Method and target of the current request, or of the last one.
    request: Mutex<Vec<u8>>,
    permit: Mutex<Option<Permit>>,
    /// Set for a connection in the reserve: sent in response to any request but one for the status page.
    pub(crate) reserved: Option<Rejection>,
    /// The registry's count of active connections, updated with the phase.
    active: Arc<AtomicUsize>,
}

impl ConnectionEntry {
    /// An entry in [`Phase::Fresh`]. `active` is the registry's count of active connections.
    pub(super) fn new(
        id: u64,
        client: Client,
        stream: Arc<TcpStream>,
        permit: Permit,
        active: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            id,
            client,
            stream,
            opened_at: Instant::now(),
            phase: AtomicU8::new(Phase::Fresh as u8),
            phase_start_ms: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
            request: Mutex::default(),
            reserved: permit.rejection(),
            permit: Mutex::new(Some(permit)),
            active,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::from_number(self.phase.load(Ordering::Acquire))
    }

    /// How long the phase has lasted.
    pub(crate) fn in_phase(&self) -> Duration {
        let start = Duration::from_millis(self.phase_start_ms.load(Ordering::Relaxed));
        self.opened_at.elapsed().saturating_sub(start)
    }

    /// Changes the phase; false if another thread has closed the connection.
    pub(crate) fn enter(&self, phase: Phase) -> bool {
        self.record_time();
        let entered = self.phase.fetch_update(Ordering::AcqRel, Ordering::Acquire, |current| {
            (current != Phase::Closing as u8).then_some(phase as u8)
        });
        if let Ok(before) = entered {
            self.count_active(Phase::from_number(before).is_active(), phase.is_active());
        }
        entered.is_ok()
    }

    fn count_active(&self, before: bool, after: bool) {
        match (before, after) {
            (false, true) => self.active.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.active.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
    }

    /// Takes the connection out of the count of active ones, as it leaves the registry.
    pub(super) fn count_as_gone(&self) {
        self.count_active(self.phase().is_active(), false);
    }

    /// Has the connection closed and takes its permit, if it is in `phase`, which is not an active one. Reading ends,
    /// at which its thread wakes up: it can still send, over TLS that nothing follows.
    pub(super) fn close_if(&self, phase: Phase) -> Option<Permit> {
        self.phase
            .compare_exchange(
                phase as u8,
                Phase::Closing as u8,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .ok()?;
        self.record_time();
        let permit = self.take_permit();
        self.shut_down(Shutdown::Read);
        permit
    }

    /// Closes the connection and releases its slot, if it is idle between two requests; true if it was.
    pub(crate) fn give_up_if_idle(&self) -> bool {
        self.close_if(Phase::Idle).is_some()
    }

    /// Shuts the socket down, whatever the phase. A blocked read of its thread returns end of input.
    pub(super) fn shut_down(&self, halves: Shutdown) {
        // Fails only if the peer has closed already.
        let _ = self.stream.shutdown(halves);
    }

    fn record_time(&self) {
        let now = u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.phase_start_ms.store(now, Ordering::Relaxed);
    }

    pub(super) fn take_permit(&self) -> Option<Permit> {
        lock(&self.permit).take()
    }

    /// Releases the slot before the connection ends.
    pub(crate) fn release_slot(&self) {
        drop(self.take_permit());
    }

    /// Stores the request that is being answered, up to [`MAX_REQUEST_BYTES`].
    pub(crate) fn record_request(&self, method: &[u8], target: &[u8]) {
        let mut request = lock(&self.request);
        request.clear();
        let kept = method.iter().chain(b" ").chain(target).take(MAX_REQUEST_BYTES);
        request.extend(kept);
    }

    /// Counts a response.
    pub(crate) fn record_response(&self, content_bytes: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(content_bytes, Ordering::Relaxed);
    }

    /// The current request or the last one, escaped; empty before the first.
    pub(crate) fn request(&self) -> String {
        Escaped(&lock(&self.request)).to_string()
    }
}
