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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::server::limits::client::Identification;

    #[test]
    fn a_connection_has_a_share_of_each_rate_that_holds_for_it() {
        let [regular, exempt] = [1, 9].map(|host| IpAddr::from([127, 0, 0, host]));
        let exempt_networks = vec![exempt.into()];
        let identification = Identification { exempt: exempt_networks, ..Default::default() };
        let set = Some(1_000);
        for (connection, client, total, address, shares) in [
            (None, None, None, regular, 0),
            (set, None, None, regular, 1),
            (None, set, None, regular, 1),
            (None, None, set, regular, 1),
            (set, set, set, regular, 3),
            (set, set, set, exempt, 2),
            (None, set, None, exempt, 0),
        ] {
            let maximum = MaximumRates { connection, client, total };
            let rates = ConnectionRates::new(maximum, Arc::new(ClientTable::new(60)));
            let found = rates.shares_of(&identification.client(address)).len();
            assert_eq!(found, shares, "{maximum:?} {address}");
            let scopes: Vec<_> = maximum.by_scope().map(|(scope, _)| scope).collect();
            let set = [("connection", connection), ("client", client), ("total", total)];
            let expected = set.iter().filter(|(_, rate)| rate.is_some()).map(|(scope, _)| *scope);
            assert_eq!(scopes, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_rate_of_a_client_is_forgotten_with_its_last_connection() {
        let clients = Arc::new(ClientTable::new(60));
        let client = Identification::default().client([127, 0, 0, 1].into());
        let maximum = MaximumRates { client: Some(1_000), ..MaximumRates::default() };
        let rates = ConnectionRates::new(maximum, Arc::clone(&clients));
        let rate = || {
            rates.shares_of(&client);
            let clients = clients.lock();
            let rate = clients.get(client.key).and_then(|state| state.rate.as_ref());
            rate.map(|rate| Arc::as_ptr(&rate.of_total))
        };
        assert_eq!(rate(), None, "it holds no slot");
        clients.lock().add_held(client.key);
        clients.lock().add_held(client.key);
        let of_first = rate();
        assert!(of_first.is_some());
        clients.lock().remove_held(client.key);
        assert_eq!(rate(), of_first, "its other connection uses the same");
        clients.lock().remove_held(client.key);
        assert_eq!(clients.lock().count(), 0);
    }
}
