//! Looks up the addresses of each host once in a run.
//!
//! Connections to a host are opened concurrently, so all of them wait for one look-up, whose result is kept.
//! A failure is given to those that wait, and then forgotten. The system's resolver can neither be
//! interrupted nor has a timeout, so it runs in a thread of its own, which may outlive the waiting. If no
//! thread can be spawned, the caller looks the name up itself.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::stop::Stop;
use crate::lock::lock;

/// The addresses of a host in the system's order, never empty.
pub(super) type Addresses = Result<Arc<[SocketAddr]>, Arc<io::Error>>;

type Lookup = Arc<OnceLock<Addresses>>;

/// The look-ups of one run.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    lookups: Mutex<HashMap<String, Lookup>>,
}

impl Resolver {
    /// The addresses of the name `host`, with `port`.
    pub(super) fn resolve(
        &self,
        host: &str,
        port: u16,
        timeout: Duration,
        stop: &Stop,
    ) -> Addresses {
        let key = format!("{host}:{port}");
        let lookup = self.lookup(&key, host, port, stop);
        stop.wait_until(Some(Instant::now() + timeout), || lookup.get().is_some());
        let addresses = match lookup.get() {
            Some(addresses) => addresses.clone(),
            None => Err(Arc::new(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))),
        };
        if addresses.is_err() {
            let mut lookups = lock(&self.lookups);
            if lookups.get(&key).is_some_and(|current| Arc::ptr_eq(current, &lookup)) {
                lookups.remove(&key);
            }
        }
        addresses
    }

    /// The look-up of `key`; starts it if there is none.
    fn lookup(&self, key: &str, host: &str, port: u16, stop: &Stop) -> Lookup {
        let mut lookups = lock(&self.lookups);
        if let Some(lookup) = lookups.get(key) {
            return Arc::clone(lookup);
        }
        let lookup = Lookup::default();
        let (result, stop, host) = (Arc::clone(&lookup), stop.clone(), host.to_owned());
        let name = host.clone();
        let spawned = thread::Builder::new().name("resolve".to_owned()).spawn(move || {
            let _ = result.set(look_up(&name, port));
            stop.wake();
        });
        lookups.insert(key.to_owned(), Arc::clone(&lookup));
        if spawned.is_err() {
            // Under the lock, so that others wait for the result.
            let _ = lookup.set(look_up(&host, port));
        }
        lookup
    }
}

fn look_up(host: &str, port: u16) -> Addresses {
    let addresses: Arc<[SocketAddr]> = (host, port).to_socket_addrs().map_err(Arc::new)?.collect();
    if addresses.is_empty() {
        return Err(Arc::new(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses")));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_once_and_a_failure_is_forgotten() {
        let (resolver, stop) = (Resolver::default(), Stop::default());
        let resolve =
            |host: &str, port| resolver.resolve(host, port, Duration::from_secs(20), &stop);
        let first = resolve("localhost", 80).unwrap();
        assert!(first.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
        let second = resolve("localhost", 80).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(resolve("localhost", 81).unwrap()[0].port(), 81);
        // A label has at most 63 bytes, so the resolver fails without asking a server.
        let impossible = format!("{}.invalid", "x".repeat(64));
        resolve(&impossible, 80).unwrap_err();
        assert_eq!(lock(&resolver.lookups).len(), 2);
    }
}
