//! The two limits on open connections: per client, and in total.
//!
//! One lock guards both counts, so that both limits are checked and counted in one step. A slot is held by
//! a [`Permit`], and released when it is dropped. The response to a rejected client is left to `handler`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::Client;
use super::rejection::{Rejection, Scope};
use crate::lock::lock;

/// Most connections open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one client. Default 12.
    pub per_client: usize,
    /// Of all clients together. Default 60.
    pub total: usize,
}

impl Limits {
    /// The capacity of a map by client: twice the number of clients. A `HashMap` that is fuller grows
    /// instead of reusing the places of removed entries.
    pub(super) fn map_capacity(self) -> usize {
        2 * self.total.min(MAX_PREALLOCATED_CLIENTS)
    }
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
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Connections by client. Clients without one have no entry, so the total bounds the map.
    clients: HashMap<IpAddr, usize>,
    total: usize,
    /// Connections in the reserve, which the limits do not count.
    reserve: usize,
    /// Exponentially weighted mean of how long connections are held, in seconds.
    mean_hold: f64,
}

/// Most clients that maps have room for from the start. A map that grows under load would be allocated in
/// the heap of a connection's thread, and keep it from shrinking.
const MAX_PREALLOCATED_CLIENTS: usize = 1024;

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
}

/// How many connections are counted, and for how many clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occupancy {
    /// Connections, also those with a client that is not known yet.
    pub(crate) connections: usize,
    /// Clients that hold at least one.
    pub(crate) clients: usize,
}

impl Admission {
    /// Admits up to `limits`.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        let clients = HashMap::with_capacity(limits.map_capacity());
        let counts = Counts { clients, ..Counts::default() };
        Arc::new(Self { limits, counts: Mutex::new(counts) })
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
        let mut counts = lock(&self.counts);
        self.check_client(&counts, client)?;
        self.check_total(&counts, Some(client.key))?;
        counts.total += 1;
        counts.add(client.key);
        Ok(self.permit(Slot::Counted, Some(client.key)))
    }

    /// Takes a slot of the total for a connection with a client that is not known yet.
    ///
    /// # Errors
    /// The total has been reached. Nothing is counted.
    pub(crate) fn admit_unidentified(self: &Arc<Self>) -> Result<Permit, Rejection> {
        let mut counts = lock(&self.counts);
        self.check_total(&counts, None)?;
        counts.total += 1;
        Ok(self.permit(Slot::Counted, None))
    }

    /// Takes a slot without checking the limits; one of the total alone if the client is not known yet.
    pub(crate) fn admit_regardless(self: &Arc<Self>, client: Option<Client>) -> Permit {
        let mut counts = lock(&self.counts);
        counts.total += 1;
        let client = client.map(|client| client.key);
        if let Some(key) = client {
            counts.add(key);
        }
        self.permit(Slot::Counted, client)
    }

    /// Takes a slot of the reserve for a connection with this rejection; `None` if all are taken.
    pub(crate) fn admit_to_reserve(self: &Arc<Self>, rejection: Rejection) -> Option<Permit> {
        let mut counts = lock(&self.counts);
        if counts.reserve == RESERVE_SLOTS {
            return None;
        }
        counts.reserve += 1;
        Some(self.permit(Slot::Reserve(rejection), None))
    }

    fn permit(self: &Arc<Self>, slot: Slot, client: Option<IpAddr>) -> Permit {
        Permit { admission: Arc::clone(self), slot, client, taken_at: Instant::now() }
    }

    fn check_client(&self, counts: &Counts, client: Client) -> Result<(), Rejection> {
        let limit = self.limits.per_client;
        if client.exempt || counts.held(client.key) < limit {
            return Ok(());
        }
        Err(counts.rejection(Some(client.key), Scope::Client, limit))
    }

    fn check_total(&self, counts: &Counts, client: Option<IpAddr>) -> Result<(), Rejection> {
        let limit = self.limits.total;
        if counts.total < limit {
            return Ok(());
        }
        Err(counts.rejection(client, Scope::Total, limit))
    }

    /// How many connections this client and all clients hold at present.
    pub(crate) fn held_by(&self, client: IpAddr) -> Held {
        let counts = lock(&self.counts);
        Held { client: counts.held(client), total: counts.total }
    }

    /// How many connections are counted at present, and for how many clients.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let counts = lock(&self.counts);
        Occupancy { connections: counts.total, clients: counts.clients.len() }
    }
}

impl Counts {
    /// How many connections this client holds.
    fn held(&self, client: IpAddr) -> usize {
        self.clients.get(&client).copied().unwrap_or(0)
    }

    /// Counts a connection of this client.
    fn add(&mut self, client: IpAddr) {
        *self.clients.entry(client).or_default() += 1;
    }

    fn rejection(&self, client: Option<IpAddr>, scope: Scope, limit: usize) -> Rejection {
        #[expect(clippy::cast_precision_loss, reason = "no limit reaches 2^53")]
        let expected_wait = Duration::from_secs_f64(self.mean_hold / limit as f64);
        Rejection { client, scope, limit, expected_wait }
    }

    fn release(&mut self, client: Option<IpAddr>, held_for: Duration) {
        self.total -= 1;
        self.mean_hold += HOLD_WEIGHT * (held_for.as_secs_f64() - self.mean_hold);
        let Some(client) = client else { return };
        if let Entry::Occupied(mut held) = self.clients.entry(client) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
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
        let mut counts = lock(&self.admission.counts);
        self.admission.check_client(&counts, client)?;
        counts.add(client.key);
        drop(counts);
        self.set_client(client);
        Ok(())
    }

    /// Takes a slot of the client, which has become known, without checking its limit.
    pub(crate) fn identify_regardless(&mut self, client: Client) {
        lock(&self.admission.counts).add(client.key);
        self.set_client(client);
    }

    fn set_client(&mut self, client: Client) {
        debug_assert!(self.client.is_none(), "a client is identified once");
        self.client = Some(client.key);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = lock(&self.admission.counts);
        match self.slot {
            Slot::Counted => counts.release(self.client, self.taken_at.elapsed()),
            Slot::Reserve(_) => counts.reserve -= 1,
        }
    }
}

#[cfg(test)]
mod tests;
