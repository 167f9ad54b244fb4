//! The clients that have logged in lately.
//!
//! They come first when passwords are verified: an attacker with many addresses has none that has logged in.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Most clients that are remembered.
const MAX_KNOWN_CLIENTS: usize = 1024;

/// The last clients that have logged in, the latest at the end.
#[derive(Debug, Default)]
pub(super) struct KnownClients(VecDeque<IpAddr>);

impl KnownClients {
    pub(super) fn contains(&self, client: IpAddr) -> bool {
        self.0.contains(&client)
    }

    /// Remembers a client, and forgets the one that logged in longest ago if there are too many.
    pub(super) fn add(&mut self, client: IpAddr) {
        self.0.retain(|known| *known != client);
        if self.0.len() == MAX_KNOWN_CLIENTS {
            self.0.pop_front();
        }
        self.0.push_back(client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_that_logged_in_last_are_known() {
        let client = |number: u32| IpAddr::from(number.to_be_bytes());
        let mut known = KnownClients::default();
        let bound = u32::try_from(MAX_KNOWN_CLIENTS).unwrap();
        for number in 0..bound {
            known.add(client(number));
        }
        known.add(client(0));
        assert!(known.contains(client(0)) && known.contains(client(1)));
        known.add(client(bound));
        assert!(known.contains(client(0)) && !known.contains(client(1)), "the oldest is forgotten");
        assert_eq!(known.0.len(), MAX_KNOWN_CLIENTS);
    }
}
