//! The limits: who may hold a connection, and who is told that there are too many.
//!
//! One lock guards both numbers, so that the client's limit and the total are checked and counted as
//! one step. A [`Permit`] is the only way to hold a slot, and dropping it the only way to give it
//! back. What a rejected client is told is left to `rejection`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// By one client, which is an IP address. Default 12.
    pub per_client: usize,
    /// By all clients together. Default 60.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_client: 12, total: 60 }
    }
}

/// Which of the two limits is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Client,
    Total,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "per client",
            Self::Total => "in all",
        })
    }
}

/// A connection that may not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub client: IpAddr,
    /// The limit that is used up. The client's own is looked at first.
    pub scope: Scope,
    /// Its value.
    pub limit: usize,
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
}

/// A slot of one client and of the total, held until it is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    client: IpAddr,
}

/// An IPv4 address written as an IPv6 one is the same client (RFC 4291 §2.5.5.2).
#[must_use]
pub fn client_of(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

impl Admission {
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    /// Takes a slot for a connection from `address`.
    ///
    /// # Errors
    /// A limit is used up: first the client's own, then the total. Nothing was counted.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Rejection> {
        let client = client_of(address);
        let mut guard = self.lock();
        let counts = &mut *guard;
        let held = counts.clients.get(&client).copied().unwrap_or(0);
        let Limits { per_client, total } = self.limits;
        if held >= per_client {
            return Err(Rejection { client, scope: Scope::Client, limit: per_client });
        }
        if counts.total >= total {
            return Err(Rejection { client, scope: Scope::Total, limit: total });
        }
        counts.clients.insert(client, held + 1);
        counts.total += 1;
        Ok(Permit { admission: Arc::clone(self), client })
    }

    /// How many connections are counted, and how many clients hold them.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        let counts = self.lock();
        (counts.total, counts.clients.len())
    }

    fn release(&self, client: IpAddr) {
        let mut guard = self.lock();
        let counts = &mut *guard;
        counts.total -= 1;
        if let Entry::Occupied(mut held) = counts.clients.entry(client) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }

    /// No code that may panic runs under the lock, so a poisoned one still guards true counts.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The client whose slot it is.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.client
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.release(self.client);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn admission(per_client: usize, total: usize) -> Arc<Admission> {
        Admission::new(Limits { per_client, total })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_clients_own_limit_comes_before_the_total() {
        let admission = admission(2, 3);
        let (one, two) = (address("127.0.0.1"), address("127.0.0.2"));
        let _held: Vec<Permit> =
            [one, one, two].into_iter().map(|client| admission.admit(client).unwrap()).collect();
        let rejected = |client| admission.admit(client).unwrap_err();
        assert_eq!(rejected(one), Rejection { client: one, scope: Scope::Client, limit: 2 });
        assert_eq!(rejected(two), Rejection { client: two, scope: Scope::Total, limit: 3 });
        assert_eq!(admission.held(), (3, 2));
    }

    #[test]
    fn a_dropped_permit_gives_its_slot_back_and_a_client_without_one_is_forgotten() {
        let admission = admission(1, 1);
        let client = address("127.0.0.1");
        for _ in 0..3 {
            let permit = admission.admit(client).unwrap();
            assert!(admission.admit(client).is_err());
            drop(permit);
            assert_eq!(admission.held(), (0, 0));
        }
    }

    #[test]
    fn an_ipv4_address_within_ipv6_is_the_same_client() {
        let admission = admission(1, 9);
        let permit = admission.admit(address("::ffff:127.0.0.1")).unwrap();
        assert_eq!(permit.client(), address("127.0.0.1"));
        assert_eq!(admission.admit(address("127.0.0.1")).unwrap_err().scope, Scope::Client);
        assert!(admission.admit(address("::1")).is_ok());
    }

    #[test]
    fn many_threads_never_hold_more_than_the_limits_and_leave_nothing_behind() {
        let admission = admission(3, 5);
        thread::scope(|scope| {
            for number in 0..8_u8 {
                let admission = &admission;
                scope.spawn(move || {
                    let client = IpAddr::from([127, 0, 0, number % 3 + 1]);
                    for _ in 0..2_000 {
                        let permit = admission.admit(client);
                        assert!(admission.held().0 <= 5);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(admission.held(), (0, 0));
    }

    #[test]
    fn a_panic_gives_the_slot_back_exactly_once() {
        let admission = admission(1, 1);
        let held = Arc::clone(&admission);
        let panicked = thread::spawn(move || {
            let _permit = held.admit(address("127.0.0.1")).unwrap();
            panic!("a panic on purpose, with a permit in hand");
        });
        assert!(panicked.join().is_err());
        assert_eq!(admission.held(), (0, 0));
    }
}
