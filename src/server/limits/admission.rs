//! The two limits on open connections: per client, and in total.
//!
//! The lock of the client table guards both counts, so that both limits are checked and counted in one step. A
//! slot is held by a [`Permit`], and released when it is dropped. The response to a rejected client is left to
//! `handler`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::accepted_connection::LineKey;
use super::client::Client;
use super::client_table::{ClientTable, Clients};
use super::rejection::{Rejection, Scope};

/// Most connections open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one client. Default 12.
    pub per_client: usize,
    /// Of all clients together. Default 60.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_client: 12, total: 60 }
    }
}

/// Whether limits are enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// Connections over a limit are rejected.
    Enforced,
    /// Connections over a limit are counted, logged and served.
    DryRun,
}

/// Counts the connections of each client and of all, and enforces the limits.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    clients: Arc<ClientTable>,
}

/// Weight of the latest connection in the mean.
const HOLD_WEIGHT: f64 = 0.1;

/// A slot of the total and, once the client is known, of the client. Dropping it releases both.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    slot: Slot,
    client: Option<IpAddr>,
    taken_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// Counted against the limits.
    Counted,
    /// One of [`RESERVE_SLOTS`], for a connection that is otherwise rejected for this reason.
    Reserve(Rejection),
}

/// Slots beyond the total, for clients that may see the status page.
const RESERVE_SLOTS: usize = 2;

/// The connections that one client and all clients hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Connections of the client.
    pub(crate) client: usize,
    /// Connections of all clients.
    pub(crate) total: usize,
    /// Another connection waits that could have a slot of this client.
    pub(crate) is_waited_for: bool,
}

/// How many connections are counted, and for how many clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occupancy {
    /// Connections, also those with a client that is not known yet.
    pub(crate) connections: usize,
    /// Clients that hold at least one.
    pub(crate) clients: usize,
    /// Connections that wait for a slot.
    pub(crate) waiting: usize,
}

impl Admission {
    /// Admits up to `limits`, and counts in `clients`.
    pub(crate) fn new(limits: Limits, clients: Arc<ClientTable>) -> Arc<Self> {
        Arc::new(Self { limits, clients })
    }

    /// The limits, which never change.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes a slot for a connection of this client.
    ///
    /// # Errors
    /// A limit has been reached; the client's own is checked first. Nothing is counted.
    pub(crate) fn admit(self: &Arc<Self>, client: Client) -> Result<Permit, Rejection> {
        let mut clients = self.clients.lock();
        self.check_client(&clients, client)?;
        self.check_total(&clients, Some(client.key))?;
        clients.totals.held += 1;
        clients.add_held(client.key);
        Ok(self.permit(Slot::Counted, Some(client.key)))
    }

    /// Takes a slot of the total for a connection with a client that is not known yet.
    ///
    /// # Errors
    /// The total has been reached. Nothing is counted.
    pub(crate) fn admit_unidentified(self: &Arc<Self>) -> Result<Permit, Rejection> {
        let mut clients = self.clients.lock();
        self.check_total(&clients, None)?;
        clients.totals.held += 1;
        Ok(self.permit(Slot::Counted, None))
    }

    /// Takes a slot without checking the limits; one of the total alone if the client is not known yet.
    pub(crate) fn admit_regardless(self: &Arc<Self>, client: Option<Client>) -> Permit {
        let mut clients = self.clients.lock();
        clients.totals.held += 1;
        let client = client.map(|client| client.key);
        if let Some(key) = client {
            clients.add_held(key);
        }
        self.permit(Slot::Counted, client)
    }

    /// Takes a slot of the reserve for a connection with this rejection; `None` if all are taken.
    pub(crate) fn admit_to_reserve(self: &Arc<Self>, rejection: Rejection) -> Option<Permit> {
        let mut clients = self.clients.lock();
        if clients.totals.reserve == RESERVE_SLOTS {
            return None;
        }
        clients.totals.reserve += 1;
        Some(self.permit(Slot::Reserve(rejection), None))
    }

    fn permit(self: &Arc<Self>, slot: Slot, client: Option<IpAddr>) -> Permit {
        Permit { admission: Arc::clone(self), slot, client, taken_at: Instant::now() }
    }

    fn check_client(&self, clients: &Clients, client: Client) -> Result<(), Rejection> {
        let limit = self.limits.per_client;
        if client.exempt || clients.held(client.key) < limit {
            return Ok(());
        }
        Err(rejection(clients, Some(client.key), Scope::Client, limit))
    }

    fn check_total(&self, clients: &Clients, client: Option<IpAddr>) -> Result<(), Rejection> {
        let limit = self.limits.total;
        if clients.totals.held < limit {
            return Ok(());
        }
        Err(rejection(clients, client, Scope::Total, limit))
    }

    /// Gives free slots to connections that wait: their permits are to be made by
    /// [`Admission::permit_of_waiting`].
    pub(super) fn admit_waiting(&self, clients: &mut Clients) {
        while clients.totals.held < self.limits.total && clients.waiting.count() > 0 {
            let Some(connection) = clients.next_waiting(self.limits.per_client) else { return };
            clients.totals.held += 1;
            if let Some(client) = connection.client {
                clients.add_held(client.key);
            }
            clients.admitted.push_back(connection);
        }
    }

    /// The permit for a slot that [`Admission::admit_waiting`] has counted.
    pub(super) fn permit_of_waiting(self: &Arc<Self>, client: Option<Client>) -> Permit {
        self.permit(Slot::Counted, client.map(|client| client.key))
    }

    /// Why a connection of this client is rejected at present, after it has waited for a slot.
    pub(super) fn rejection_of(&self, clients: &Clients, client: Option<Client>) -> Rejection {
        let checked = client.map_or(Ok(()), |client| self.check_client(clients, client));
        let key = client.map(|client| client.key);
        checked.err().unwrap_or_else(|| rejection(clients, key, Scope::Total, self.limits.total))
    }

    /// How many connections this client and all clients hold at present.
    pub(crate) fn held_by(&self, client: IpAddr) -> Held {
        let clients = self.clients.lock();
        let total = clients.totals.held;
        let is_waited_for = clients.waiting.count() > 0
            && (total >= self.limits.total || clients.waiting_of(client) > 0);
        Held { client: clients.held(client), total, is_waited_for }
    }

    /// How many connections are counted at present, and for how many clients.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let clients = self.clients.lock();
        Occupancy {
            connections: clients.totals.held,
            clients: clients.totals.holders,
            waiting: clients.waiting.count(),
        }
    }

    /// The lines in which connections wait for a slot.
    pub(crate) fn waiting_lines(&self) -> Vec<LineKey> {
        self.clients.lock().waiting.keys().collect()
    }

    /// The limit for which the connections of this line wait at present; `None` if none waits.
    pub(crate) fn limit_of_waiting(&self, line: LineKey) -> Option<Scope> {
        let clients = self.clients.lock();
        let is_at_own = line.has_limit && clients.held(line.client) >= self.limits.per_client;
        let scope = if is_at_own { Scope::Client } else { Scope::Total };
        (clients.waiting.count_of(line) > 0).then_some(scope)
    }

    /// How many connections of this client wait for a slot at present.
    pub(crate) fn waiting_of(&self, client: IpAddr) -> usize {
        self.clients.lock().waiting_of(client)
    }
}

/// The rejection of a connection, with the expected wait for one of `limit` slots.
fn rejection(clients: &Clients, client: Option<IpAddr>, scope: Scope, limit: usize) -> Rejection {
    #[expect(clippy::cast_precision_loss, reason = "no limit reaches 2^53")]
    let expected_wait = Duration::from_secs_f64(clients.totals.mean_hold / limit as f64);
    Rejection { client, scope, limit, expected_wait }
}

/// Releases a slot that was held for this time.
fn release(clients: &mut Clients, client: Option<IpAddr>, held_for: Duration) {
    let totals = &mut clients.totals;
    totals.held -= 1;
    totals.mean_hold += HOLD_WEIGHT * (held_for.as_secs_f64() - totals.mean_hold);
    if let Some(client) = client {
        clients.remove_held(client);
    }
}

impl Permit {
    /// The connection's rejection, if this is a slot of the reserve.
    pub(super) fn rejection(&self) -> Option<Rejection> {
        match self.slot {
            Slot::Counted => None,
            Slot::Reserve(rejection) => Some(rejection),
        }
    }

    /// Takes a slot of the client, which has become known.
    ///
    /// # Errors
    /// The client's limit has been reached. The slot of the total is still held.
    pub(crate) fn identify(&mut self, client: Client) -> Result<(), Rejection> {
        let mut clients = self.admission.clients.lock();
        self.admission.check_client(&clients, client)?;
        clients.add_held(client.key);
        drop(clients);
        self.set_client(client);
        Ok(())
    }

    /// Takes a slot of the client, which has become known, without checking its limit.
    pub(crate) fn identify_regardless(&mut self, client: Client) {
        self.admission.clients.lock().add_held(client.key);
        self.set_client(client);
    }

    fn set_client(&mut self, client: Client) {
        debug_assert!(self.client.is_none(), "a client is identified once");
        self.client = Some(client.key);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Admission { clients: table, .. } = &*self.admission;
        let mut clients = table.lock();
        match self.slot {
            Slot::Counted => release(&mut clients, self.client, self.taken_at.elapsed()),
            Slot::Reserve(_) => clients.totals.reserve -= 1,
        }
        if clients.waiting.count() == 0 {
            return;
        }
        if let Some(client) = self.client {
            clients.waiting.give_turn(LineKey { client, has_limit: true });
        }
        self.admission.admit_waiting(&mut clients);
        if !clients.admitted.is_empty() {
            drop(clients);
            table.queue_changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
