//! Which maximum rates hold for a connection: its own, its client's, and the server's.

use std::sync::Arc;

use super::client::Client;
use super::client_table::ClientTable;
use super::rates::client_rate::ClientRate;
use super::rates::shared_rate::{Share, SharedRate};

/// Most bytes per second. Default: no maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaximumRates {
    /// Of each connection.
    pub connection: Option<u64>,
    /// Of all connections of one client together, which share it evenly. A client that is exempt from the
    /// per-client limit has no maximum either.
    pub client: Option<u64>,
    /// Of all connections together. Clients share it evenly, however many connections each has.
    pub total: Option<u64>,
}

impl MaximumRates {
    /// The rates that are set, each with the name of what it holds for.
    pub(crate) fn by_scope(self) -> impl Iterator<Item = (&'static str, u64)> {
        [("connection", self.connection), ("client", self.client), ("total", self.total)]
            .into_iter()
            .filter_map(|(scope, rate)| Some((scope, rate?)))
    }
}

/// The maximum rates, and who uses them.
#[derive(Debug)]
pub(crate) struct ConnectionRates {
    maximum: MaximumRates,
    total: Option<Arc<SharedRate>>,
    clients: Arc<ClientTable>,
}

impl ConnectionRates {
    pub(crate) fn new(maximum: MaximumRates, clients: Arc<ClientTable>) -> Self {
        let total = maximum.total.map(|total| Arc::new(SharedRate::new(total)));
        Self { maximum, total, clients }
    }

    /// The shares of a new connection of this client, which is counted already: one of each rate that holds
    /// for it.
    pub(crate) fn shares_of(&self, client: &Client) -> Vec<Share> {
        let mut shares = Vec::new();
        if let Some(maximum) = self.maximum.connection {
            shares.push(Share::new(Arc::new(SharedRate::new(maximum)), Arc::default()));
        }
        if self.maximum.client.is_some() || self.total.is_some() {
            let rate = self.clients.lock().update(client.key, |state| {
                state.rate.get_or_insert_with(|| ClientRate::new(self.maximum.client)).clone()
            });
            let maximum = rate.maximum.filter(|_| !client.exempt);
            shares.extend(maximum.map(|maximum| Share::new(maximum, Arc::default())));
            let total = self.total.clone();
            shares.extend(total.map(|total| Share::new(total, rate.of_total)));
        }
        shares
    }
}
