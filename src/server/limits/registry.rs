//! All open connections, by client.
//!
//! The status page, the shutdown and the reclaiming of slots find connections here. Each entry holds
//! its connection's permit, so that another thread can take the slot of an idle connection. The entry
//! is removed when the connection's [`Registration`] is dropped.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

use super::admission::Permit;
use super::client::Client;
use super::client_table::MAX_PREALLOCATED_CLIENTS;
use super::connection_entry::ConnectionEntry;
use super::phase::Phase;
use crate::lock::lock;

/// How long a connection keeps a slot of the reserve that another one wants: one second for its head
/// and one for the response.
const RESERVE_TIME: Duration = Duration::from_secs(2);

type Clients = HashMap<IpAddr, Vec<Arc<ConnectionEntry>>>;

/// All open connections, by client.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    clients: Mutex<Clients>,
    /// Connections from proxies, while their PROXY header has not been read.
    unidentified: Mutex<Vec<(Arc<TcpStream>, Instant)>>,
    next_id: AtomicU64,
    /// Connections in the middle of a request.
    active: Arc<AtomicUsize>,
}

/// How many connections are active or idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    /// In the middle of a request.
    pub(crate) active: usize,
    /// Between two requests, or before the first.
    pub(crate) idle: usize,
}

/// A connection's entry in the registry, removed on drop.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    pub(crate) entry: Arc<ConnectionEntry>,
}

impl Registry {
    /// An empty registry for so many connections. It has room from the start: a map that grows under load
    /// would be allocated in the heap of a connection's thread, and keep it from shrinking.
    pub(crate) fn new(connections: usize) -> Self {
        // Twice the number of clients: a fuller map grows instead of reusing the places of removed entries.
        let clients = HashMap::with_capacity(2 * connections.min(MAX_PREALLOCATED_CLIENTS));
        Self { clients: Mutex::new(clients), ..Self::default() }
    }

    /// Adds a connection of `client` that holds `permit`.
    pub(crate) fn register(
        self: &Arc<Self>,
        client: Client,
        stream: Arc<TcpStream>,
        permit: Permit,
    ) -> Registration {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let active = Arc::clone(&self.active);
        let entry = Arc::new(ConnectionEntry::new(id, client, stream, permit, active));
        lock(&self.clients).entry(client.key).or_default().push(Arc::clone(&entry));
        Registration { registry: Arc::clone(self), entry }
    }

    /// Adds a connection with a client that is not known yet: [`Registry::close_idle`] closes it until the
    /// result is dropped.
    pub(crate) fn register_unidentified(&self, stream: &Arc<TcpStream>) -> Unidentified<'_> {
        lock(&self.unidentified).push((Arc::clone(stream), Instant::now()));
        Unidentified { registry: self, stream: Arc::clone(stream) }
    }

    /// The activity of one client's connections, or, for `None`, of all.
    pub(crate) fn activity(&self, client: Option<IpAddr>) -> Activity {
        let clients = lock(&self.clients);
        let mut activity = Activity::default();
        for entry in of_client(&clients, client) {
            match entry.phase() {
                Phase::Closing => {}
                phase if phase.is_active() => activity.active += 1,
                _ => activity.idle += 1,
            }
        }
        activity
    }

    /// How many of all connections are in the middle of a request. Counted as phases change: the accept
    /// loop asks for each rejection, and iterating over thousands of entries would be slow.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Closes the connection that has been idle between two requests for longest, of this client or,
    /// for `None`, of all, and returns its permit. Connections without a first request count as idle if they have
    /// sent nothing for `max_silence`; without one, they are not reclaimed.
    pub(crate) fn reclaim(
        &self,
        client: Option<IpAddr>,
        max_silence: Option<Duration>,
    ) -> Option<Permit> {
        let clients = lock(&self.clients);
        let is_idle = |entry: &&Arc<ConnectionEntry>| match entry.phase() {
            Phase::Idle => true,
            Phase::Fresh if entry.reserved.is_none() => {
                max_silence.is_some_and(|silence| entry.in_phase() >= silence)
            }
            _ => false,
        };
        loop {
            let oldest =
                of_client(&clients, client).filter(is_idle).max_by_key(|entry| entry.in_phase())?;
            // Fails if a request has begun meanwhile: then another connection is tried.
            let permit = oldest.close_if(Phase::Idle);
            if let Some(permit) = permit.or_else(|| oldest.close_if(Phase::Fresh)) {
                return Some(permit);
            }
        }
    }

    /// Takes the permit of a connection in the reserve: of the oldest that has sent nothing, which can
    /// then still be sent a rejection, or else of the oldest that has been open for longer than
    /// [`RESERVE_TIME`], which is closed.
    pub(crate) fn reclaim_reserve(&self, now: Instant) -> Option<Permit> {
        let clients = lock(&self.clients);
        let mut reserved: Vec<_> =
            of_client(&clients, None).filter(|entry| entry.reserved.is_some()).collect();
        reserved.sort_by_key(|entry| entry.opened_at);
        reserved.iter().find_map(|entry| entry.close_if(Phase::Fresh)).or_else(|| {
            let mut overdue = reserved.iter().filter(|entry| now - entry.opened_at > RESERVE_TIME);
            overdue.find_map(|entry| {
                let permit = entry.take_permit();
                entry.shut_down(Shutdown::Both);
                permit
            })
        })
    }

    /// Closes all connections that are not in the middle of a request. Those whose request has come to the socket
    /// are in the middle of it, and so are those without a first byte for `grace` after they were opened, as their
    /// request may be on its way. What has been read of the socket does not count: a connection is not idle then, or
    /// its thread is about to find it closed ([`ConnectionEntry::enter`]).
    pub(crate) fn close_idle(&self, grace: Duration) {
        for entry in of_client(&lock(&self.clients), None) {
            let is_idle = match entry.phase() {
                Phase::Idle => true,
                Phase::Fresh => entry.opened_at.elapsed() >= grace,
                _ => false,
            };
            if is_idle && !has_input(&entry.stream) {
                drop(entry.close_if(Phase::Idle).or_else(|| entry.close_if(Phase::Fresh)));
            }
        }
        for (stream, opened_at) in &*lock(&self.unidentified) {
            if opened_at.elapsed() >= grace && !has_input(stream) {
                // Fails only if the peer has closed already.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Closes all connections, whatever their phase.
    pub(crate) fn close_all(&self) {
        for entry in of_client(&lock(&self.clients), None) {
            entry.shut_down(Shutdown::Both);
        }
        for (stream, _) in &*lock(&self.unidentified) {
            // Fails only if the peer has closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many connections are registered.
    pub(crate) fn count(&self) -> usize {
        lock(&self.clients).values().map(Vec::len).sum()
    }

    /// All entries at this moment.
    pub(crate) fn entries(&self) -> Vec<Arc<ConnectionEntry>> {
        of_client(&lock(&self.clients), None).cloned().collect()
    }
}

fn of_client(
    clients: &Clients,
    client: Option<IpAddr>,
) -> impl Iterator<Item = &Arc<ConnectionEntry>> {
    let one = client.and_then(|client| clients.get(&client));
    let all = client.is_none().then(|| clients.values().flatten());
    one.into_iter().flatten().chain(all.into_iter().flatten())
}

/// Whether bytes have come that nobody has read.
pub(crate) fn has_input(stream: &TcpStream) -> bool {
    let received = recv(stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    received.is_ok_and(|(count, _)| count > 0)
}

/// A connection with a client that is not known yet; removed from the registry on drop.
#[derive(Debug)]
pub(crate) struct Unidentified<'r> {
    registry: &'r Registry,
    stream: Arc<TcpStream>,
}

impl Drop for Unidentified<'_> {
    fn drop(&mut self) {
        lock(&self.registry.unidentified).retain(|(stream, _)| !Arc::ptr_eq(stream, &self.stream));
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.entry.count_as_gone();
        let mut clients = lock(&self.registry.clients);
        if let Some(entries) = clients.get_mut(&self.entry.client.key) {
            // Compares addresses and moves one entry: a client may hold thousands of connections.
            let position = entries.iter().position(|entry| Arc::ptr_eq(entry, &self.entry));
            position.map(|position| entries.swap_remove(position));
            if entries.is_empty() {
                clients.remove(&self.entry.client.key);
            }
        }
        drop(clients);
        // Frees the slot before the socket is closed: a peer that sees the close may connect again at
        // once.
        drop(self.entry.take_permit());
    }
}

#[cfg(test)]
mod tests;
