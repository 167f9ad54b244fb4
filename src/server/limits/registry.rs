//! The live connections: whose they are, since when, and what each is doing.
//!
//! For those who must find a connection from outside its thread: the status page, the end of the
//! server, and the reclaiming of idle slots. Each entry holds its connection's permit, so that a slot
//! can be taken from a connection that is idle; a connection that leaves takes its entry along.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::admission::{Limits, Permit};
use super::client::Client;
use crate::printable::Escaped;

/// How long a connection may hold a slot of the reserve that another one wants: a second for its head,
/// and one to take the answer.
const RESERVE_TIME: Duration = Duration::from_secs(2);

/// Most bytes that are remembered of a request, so that clients do not decide how long the status is.
const MAX_NOTED_BYTES: usize = 1024;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// It has not sent a byte yet.
    Fresh,
    /// Its request is being read.
    Reading,
    /// It is being answered.
    Sending,
    /// It waits between two requests.
    Idle,
    /// It was closed from outside its thread, which is about to notice.
    Closing,
}

impl Phase {
    pub const ALL: [Self; 5] =
        [Self::Fresh, Self::Reading, Self::Sending, Self::Idle, Self::Closing];

    /// One word, lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Reading => "reading",
            Self::Sending => "sending",
            Self::Idle => "idle",
            Self::Closing => "closing",
        }
    }

    /// It is in the middle of a request.
    const fn is_active(self) -> bool {
        matches!(self, Self::Reading | Self::Sending)
    }

    fn from_number(number: u8) -> Self {
        Self::ALL[usize::from(number)]
    }
}

/// One live connection, as seen from outside its thread.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: u64,
    pub(crate) client: Client,
    pub(crate) stream: Arc<TcpStream>,
    pub(crate) since: Instant,
    phase: AtomicU8,
    /// When the phase began, in milliseconds since `since`.
    phase_began: AtomicU64,
    pub(crate) requests: AtomicU64,
    /// Bytes of content sent.
    pub(crate) bytes_sent: AtomicU64,
    /// The request that is being answered, or was last.
    request: Mutex<Vec<u8>>,
    permit: Mutex<Option<Permit>>,
    /// Its permit is one of the reserve.
    is_reserved: bool,
    /// The registry's count, kept where phases change.
    active: Arc<AtomicUsize>,
}

impl Live {
    pub(crate) fn phase(&self) -> Phase {
        Phase::from_number(self.phase.load(Ordering::Acquire))
    }

    /// How long the phase has lasted.
    pub(crate) fn in_phase(&self) -> Duration {
        let began = Duration::from_millis(self.phase_began.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(began)
    }

    /// Moves on to another phase; `false` if the connection was closed from outside meanwhile.
    pub(crate) fn enter(&self, phase: Phase) -> bool {
        self.note_time();
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

    /// Closes the connection from outside if it is in this phase, and takes its slot.
    fn close_if(&self, phase: Phase) -> Option<Permit> {
        self.end_if(phase, Shutdown::Both)
    }

    /// Moves on from `phase`, which is not an active one, to the end, and takes the slot.
    fn end_if(&self, phase: Phase, halves: Shutdown) -> Option<Permit> {
        self.phase
            .compare_exchange(
                phase as u8,
                Phase::Closing as u8,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .ok()?;
        self.note_time();
        let permit = self.take_permit();
        // Wakes its thread, whose read then finds the end. An error means that the peer was faster.
        let _ = self.stream.shutdown(halves);
        permit
    }

    fn note_time(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.phase_began.store(now, Ordering::Relaxed);
    }

    pub(super) fn take_permit(&self) -> Option<Permit> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Remembers the request that is being answered, up to [`MAX_NOTED_BYTES`].
    pub(crate) fn note_request(&self, method: &[u8], target: &[u8]) {
        let mut request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        request.clear();
        let noted = method.iter().chain(b" ").chain(target).take(MAX_NOTED_BYTES);
        request.extend(noted);
    }

    /// Counts a response.
    pub(crate) fn note_response(&self, content_bytes: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(content_bytes, Ordering::Relaxed);
    }

    /// The request that is being answered, or was last, escaped; empty before the first.
    pub(crate) fn request(&self) -> String {
        let request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        Escaped(&request).to_string()
    }
}

/// All live connections, by client.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    clients: Mutex<HashMap<IpAddr, Vec<Arc<Live>>>>,
    /// Connections of proxies that have yet to say whose they are.
    unidentified: Mutex<Vec<Arc<TcpStream>>>,
    next_id: AtomicU64,
    /// Connections in the middle of a request.
    active: Arc<AtomicUsize>,
}

/// How many connections are active, and how many wait between two requests or for their first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) active: usize,
    pub(crate) idle: usize,
}

/// A connection's entry, which leaves with it.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    pub(crate) live: Arc<Live>,
}

impl Registry {
    pub(crate) fn new(limits: Limits) -> Self {
        let clients = HashMap::with_capacity(limits.room());
        Self { clients: Mutex::new(clients), ..Self::default() }
    }

    /// Enters a connection that holds `permit` for `client`.
    pub(crate) fn enter(
        self: &Arc<Self>,
        client: Client,
        stream: Arc<TcpStream>,
        permit: Permit,
    ) -> Registration {
        let is_reserved = permit.is_reserved();
        let live = Arc::new(Live {
            id: self.next_id.fetch_add(1, Ordering::Relaxed) + 1,
            client,
            stream,
            since: Instant::now(),
            phase: AtomicU8::new(Phase::Fresh as u8),
            phase_began: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
            request: Mutex::default(),
            permit: Mutex::new(Some(permit)),
            is_reserved,
            active: Arc::clone(&self.active),
        });
        self.lock().entry(client.key).or_default().push(Arc::clone(&live));
        Registration { registry: Arc::clone(self), live }
    }

    /// Has the connection closed with the idle ones, until it is known whose it is.
    pub(crate) fn enter_unidentified(&self, stream: &Arc<TcpStream>) -> Unidentified<'_> {
        self.lock_unidentified().push(Arc::clone(stream));
        Unidentified { registry: self, stream: Arc::clone(stream) }
    }

    /// What the connections of one client are doing, or, for `None`, those of all.
    pub(crate) fn activity(&self, client: Option<IpAddr>) -> Activity {
        let clients = self.lock();
        let mut activity = Activity::default();
        for live in of_client(&clients, client) {
            match live.phase() {
                Phase::Closing => {}
                phase if phase.is_active() => activity.active += 1,
                _ => activity.idle += 1,
            }
        }
        activity
    }

    /// How many connections are in the middle of a request, of all: counted as it changes, since the
    /// accept loop asks for each that it rejects, and there may be thousands.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Closes the connection that has been idle between two requests for longest, of this client or,
    /// for `None`, of all, and hands its slot on. One that never sent a byte is left alone.
    pub(crate) fn reclaim(&self, client: Option<IpAddr>) -> Option<Permit> {
        let clients = self.lock();
        loop {
            let oldest = of_client(&clients, client)
                .filter(|live| live.phase() == Phase::Idle)
                .max_by_key(|live| live.in_phase())?;
            // It may have begun a request since: then there may be another.
            if let Some(permit) = oldest.close_if(Phase::Idle) {
                return Some(permit);
            }
        }
    }

    /// Takes the slot of a connection in the reserve: of the one that has been open for longest without
    /// sending a byte, which is then told that there is no slot for it, or of one that is closed because
    /// it has been open for longer than [`RESERVE_TIME`].
    pub(crate) fn reclaim_reserve(&self, now: Instant) -> Option<Permit> {
        let clients = self.lock();
        let mut reserved: Vec<_> =
            of_client(&clients, None).filter(|live| live.is_reserved).collect();
        reserved.sort_by_key(|live| live.since);
        // Its peer can still be written to.
        let silent = |live: &&Arc<Live>| live.end_if(Phase::Fresh, Shutdown::Read);
        reserved.iter().find_map(silent).or_else(|| {
            let mut late = reserved.iter().filter(|live| now - live.since > RESERVE_TIME);
            late.find_map(|live| {
                let permit = live.take_permit();
                // An error means that it is closed already.
                let _ = live.stream.shutdown(Shutdown::Both);
                permit
            })
        })
    }

    /// Closes all connections that are not in the middle of a request.
    pub(crate) fn close_idle(&self) {
        for live in of_client(&self.lock(), None) {
            drop(live.close_if(Phase::Idle).or_else(|| live.close_if(Phase::Fresh)));
        }
        for stream in &*self.lock_unidentified() {
            // An error means that it is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Closes all connections, whatever they are doing.
    pub(crate) fn close_all(&self) {
        for live in of_client(&self.lock(), None) {
            // An error means that it is closed already.
            let _ = live.stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    /// All entries at this moment.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        of_client(&self.lock(), None).cloned().collect()
    }

    fn lock_unidentified(&self) -> MutexGuard<'_, Vec<Arc<TcpStream>>> {
        self.unidentified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing that may panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Vec<Arc<Live>>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_client(
    clients: &HashMap<IpAddr, Vec<Arc<Live>>>,
    client: Option<IpAddr>,
) -> impl Iterator<Item = &Arc<Live>> {
    let one = client.and_then(|client| clients.get(&client));
    let all = client.is_none().then(|| clients.values().flatten());
    one.into_iter().flatten().chain(all.into_iter().flatten())
}

/// The entry of a connection whose client is not known yet.
#[derive(Debug)]
pub(crate) struct Unidentified<'r> {
    registry: &'r Registry,
    stream: Arc<TcpStream>,
}

impl Drop for Unidentified<'_> {
    fn drop(&mut self) {
        self.registry.lock_unidentified().retain(|stream| !Arc::ptr_eq(stream, &self.stream));
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.live.count_active(self.live.phase().is_active(), false);
        let mut clients = self.registry.lock();
        if let Some(entries) = clients.get_mut(&self.live.client.key) {
            entries.retain(|live| live.id != self.live.id);
            if entries.is_empty() {
                clients.remove(&self.live.client.key);
            }
        }
        drop(clients);
        // The slot is free before the peer can see the end and ask for its place again.
        drop(self.live.take_permit());
    }
}

#[cfg(test)]
mod tests;
