//! The limits: who may hold a connection, and who is told that there are too many.
//!
//! One lock guards both numbers, so that the client's limit and the total are checked and counted as
//! one step. A [`Permit`] is the only way to hold a slot, and dropping it the only way to give it
//! back. What a rejected client is told is left to `rejection`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::Client;
use super::rejection::{Rejection, Scope};
use crate::server::lock::lock;

/// How many connections may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// By one client. Default 12.
    pub per_client: usize,
    /// By all clients together. Default 60.
    pub total: usize,
}

impl Limits {
    /// The capacity for a map of clients that come and go: twice their number, since a map that is fuller
    /// grows instead of removing what is left of those that went.
    pub(super) fn map_capacity(self) -> usize {
        2 * self.total.min(MAX_MAP_CAPACITY_CLIENTS)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_client: 12, total: 60 }
    }
}

/// Whether a limit rejects, or would only have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    Enforced,
    /// Rejections are counted and logged, and the connection is served all the same.
    DryRun,
}

/// Counts the connections of each client and of all.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Clients without a connection have no entry, so that the map is never larger than the total.
    clients: HashMap<IpAddr, usize>,
    total: usize,
    /// Connections outside the limits, for those who look at the server when it is full.
    reserve: usize,
    /// How long connections were held lately: an exponentially weighted mean, in seconds.
    mean_hold: f64,
}

/// Clients for which maps have room from the start. One that grows under load lies in the heap of a thread
/// that ends, and keeps it from shrinking.
const MAX_MAP_CAPACITY_CLIENTS: usize = 1024;

/// The weight of the newest connection in the mean holding time.
const HOLD_WEIGHT: f64 = 0.1;

/// A slot of the total and, once the client is known, of the client, held until it is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    slot: Slot,
    client: Option<IpAddr>,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// One of the total.
    Counted,
    /// One of [`RESERVE`].
    Reserve,
}

/// Connections beyond the total that may be open for those who look at the server.
pub(super) const RESERVE: usize = 2;

/// The connections that one client and all clients hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Connections of the client.
    pub client: usize,
    /// Connections of all clients.
    pub total: usize,
}

/// How many connections are counted, and for how many clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Connections, also those whose client is not known yet.
    pub connections: usize,
    /// Clients that hold at least one.
    pub clients: usize,
}

impl Admission {
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        let clients = HashMap::with_capacity(limits.map_capacity());
        let counts = Counts { clients, ..Counts::default() };
        Arc::new(Self { limits, counts: Mutex::new(counts) })
    }

    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes a slot for a connection of this client.
    ///
    /// # Errors
    /// A limit is used up: first the client's own, then the total. Nothing was counted.
    pub fn admit(self: &Arc<Self>, client: Client) -> Result<Permit, Rejection> {
        let mut counts = lock(&self.counts);
        self.check_client(&counts, client)?;
        self.check_total(&counts, Some(client.key))?;
        counts.total += 1;
        *counts.clients.entry(client.key).or_default() += 1;
        Ok(self.permit(Slot::Counted, Some(client.key)))
    }

    /// Takes a slot of the total for a connection whose client is not known yet.
    ///
    /// # Errors
    /// The total is used up.
    pub fn admit_unidentified(self: &Arc<Self>) -> Result<Permit, Rejection> {
        let mut counts = lock(&self.counts);
        self.check_total(&counts, None)?;
        counts.total += 1;
        Ok(self.permit(Slot::Counted, None))
    }

    /// Takes a slot whatever the limits say; of the total alone while the client is not known.
    #[must_use]
    pub fn admit_regardless(self: &Arc<Self>, client: Option<Client>) -> Permit {
        let mut counts = lock(&self.counts);
        counts.total += 1;
        let client = client.map(|client| client.key);
        if let Some(key) = client {
            *counts.clients.entry(key).or_default() += 1;
        }
        self.permit(Slot::Counted, client)
    }

    /// Takes one of the few slots beyond the total; `None` when they are used up.
    #[must_use]
    pub fn admit_to_reserve(self: &Arc<Self>) -> Option<Permit> {
        let mut counts = lock(&self.counts);
        if counts.reserve == RESERVE {
            return None;
        }
        counts.reserve += 1;
        Some(self.permit(Slot::Reserve, None))
    }

    fn permit(self: &Arc<Self>, slot: Slot, client: Option<IpAddr>) -> Permit {
        Permit { admission: Arc::clone(self), slot, client, since: Instant::now() }
    }

    fn check_client(&self, counts: &Counts, client: Client) -> Result<(), Rejection> {
        let held = counts.clients.get(&client.key).copied().unwrap_or(0);
        let limit = self.limits.per_client;
        if client.exempt || held < limit {
            return Ok(());
        }
        Err(counts.reject(Some(client.key), Scope::Client, limit))
    }

    fn check_total(&self, counts: &Counts, client: Option<IpAddr>) -> Result<(), Rejection> {
        let limit = self.limits.total;
        if counts.total < limit {
            return Ok(());
        }
        Err(counts.reject(client, Scope::Total, limit))
    }

    /// The connections that this client and all clients hold at present.
    #[must_use]
    pub fn held_by(&self, client: IpAddr) -> Held {
        let counts = lock(&self.counts);
        Held { client: counts.clients.get(&client).copied().unwrap_or(0), total: counts.total }
    }

    /// How many connections are counted at present, and for how many clients.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let counts = lock(&self.counts);
        Occupancy { connections: counts.total, clients: counts.clients.len() }
    }
}

impl Counts {
    fn reject(&self, client: Option<IpAddr>, scope: Scope, limit: usize) -> Rejection {
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
    /// It is one of the few slots beyond the total.
    #[must_use]
    pub(super) fn is_reserved(&self) -> bool {
        self.slot == Slot::Reserve
    }

    /// Takes the client's slot, now that the client is known.
    ///
    /// # Errors
    /// The client's limit is used up; the slot of the total is still held.
    pub fn identify(
        &mut self,
        client: Client,
        enforcement: Enforcement,
    ) -> Result<Option<Rejection>, Rejection> {
        let mut counts = lock(&self.admission.counts);
        let rejection = self.admission.check_client(&counts, client).err();
        if enforcement == Enforcement::Enforced
            && let Some(rejection) = rejection
        {
            return Err(rejection);
        }
        *counts.clients.entry(client.key).or_default() += 1;
        drop(counts);
        debug_assert!(self.client.is_none(), "a client is identified once");
        self.client = Some(client.key);
        Ok(rejection)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = lock(&self.admission.counts);
        match self.slot {
            Slot::Counted => counts.release(self.client, self.since.elapsed()),
            Slot::Reserve => counts.reserve -= 1,
        }
    }
}

#[cfg(test)]
mod tests;
