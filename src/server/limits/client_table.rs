//! What the server knows of each client, in one place and under one lock: the connections that it holds, those
//! that wait for a slot, its share of the rates, and what it was refused recently.
//!
//! A client has an entry while there is anything to know of it. The rules are elsewhere: `admission` limits
//! connections, `slot_queue` lets them wait, `connection_rates` limits what they are sent, and `client_log`
//! counts events.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard};

use super::accepted_connection::{AcceptedConnection, LineKey};
use super::client_event::EventCounts;
use super::rates::client_rate::ClientRate;
use super::waiting_lines::WaitingLines;
use crate::lock::lock;

/// Most clients with connections that maps have room for from the start. A map that grows under load would be
/// allocated in the heap of a connection's thread, and keep it from shrinking.
pub(super) const MAX_PREALLOCATED_CLIENTS: usize = 1024;

/// Most clients whose events are counted separately. Further ones are counted together, so that an attack
/// from many addresses takes no memory.
pub(super) const MAX_LOGGED_CLIENTS: usize = 1024;

/// The state of all clients.
#[derive(Debug)]
pub(crate) struct ClientTable {
    clients: Mutex<Clients>,
    /// A waiting connection was admitted, the first wait ends at another time, or the server is stopping.
    pub(super) queue_changed: Condvar,
}

/// The clients, while the table is locked.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Clients without any state have no entry.
    states: HashMap<IpAddr, ClientState>,
    pub(super) totals: Totals,
    /// The connections that wait for a slot.
    pub(super) waiting: WaitingLines<LineKey, AcceptedConnection>,
    /// Connections that have waited, and for which a slot is counted; the thread of the queue takes them.
    pub(super) admitted: VecDeque<AcceptedConnection>,
    /// No connection waits any more.
    pub(super) is_stopping: bool,
}

/// The state of one client.
#[derive(Debug, Default)]
pub(super) struct ClientState {
    /// Connections that it holds.
    pub(super) held: usize,
    /// Its events in the current period of the log.
    pub(super) events: EventCounts,
    /// The rate of its connections, if it is limited. Each connection waits before it ends until what it was
    /// sent is paid for, so that nothing need be remembered when the last one has ended.
    pub(super) rate: Option<ClientRate>,
}

impl ClientState {
    fn is_needed(&self) -> bool {
        self.held > 0 || !self.events.are_zero()
    }
}

/// What is counted for all clients together.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Connections, also those with a client that is not known yet.
    pub(super) held: usize,
    /// Clients that hold at least one connection.
    pub(super) holders: usize,
    /// Connections in the reserve, which the limits do not count.
    pub(super) reserve: usize,
    /// Exponentially weighted mean of how long connections are held, in seconds.
    pub(super) mean_hold: f64,
}

impl ClientTable {
    /// An empty table for so many connections.
    pub(crate) fn new(connections: usize) -> Self {
        let clients = connections.min(MAX_PREALLOCATED_CLIENTS) + MAX_LOGGED_CLIENTS;
        // Twice the number of clients: a fuller map grows instead of reusing the places of removed entries.
        let states = HashMap::with_capacity(2 * clients);
        let clients = Mutex::new(Clients { states, ..Clients::default() });
        Self { clients, queue_changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Clients> {
        lock(&self.clients)
    }
}

impl Clients {
    /// The state of a client; `None` if there is nothing to know of it.
    pub(super) fn get(&self, client: IpAddr) -> Option<&ClientState> {
        self.states.get(&client)
    }

    /// Changes the state of a client, and forgets the client if nothing is left to know of it.
    pub(super) fn update<T>(
        &mut self,
        client: IpAddr,
        change: impl FnOnce(&mut ClientState) -> T,
    ) -> T {
        let state = self.states.entry(client).or_default();
        let result = change(state);
        if !state.is_needed() {
            self.states.remove(&client);
        }
        result
    }

    /// How many connections a client holds.
    pub(super) fn held(&self, client: IpAddr) -> usize {
        self.get(client).map_or(0, |state| state.held)
    }

    /// Counts a connection of this client.
    pub(super) fn add_held(&mut self, client: IpAddr) {
        let held = self.update(client, |state| {
            state.held += 1;
            state.held
        });
        self.totals.holders += usize::from(held == 1);
    }

    /// Counts a connection of this client no more.
    pub(super) fn remove_held(&mut self, client: IpAddr) {
        let held = self.update(client, |state| {
            state.held -= 1;
            state.held
        });
        self.totals.holders -= usize::from(held == 0);
    }

    /// How many connections of this client wait for a slot.
    pub(super) fn waiting_of(&self, client: IpAddr) -> usize {
        let count = |has_limit| self.waiting.count_of(LineKey { client, has_limit });
        count(true) + count(false)
    }

    /// Removes the next waiting connection whose client holds less than `per_client` connections, or has no
    /// limit.
    pub(super) fn next_waiting(&mut self, per_client: usize) -> Option<AcceptedConnection> {
        let states = &self.states;
        self.waiting.next(|LineKey { client, has_limit }| {
            !has_limit || states.get(&client).is_none_or(|state| state.held < per_client)
        })
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.states.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.states.capacity()
    }
}
