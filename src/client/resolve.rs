//! Names to addresses, asked once a run.
//!
//! Many connections to one host begin at once, and each look-up reads several files or asks a server.
//! So the first to ask for a name looks it up, those who come meanwhile wait for it, and those who
//! come later know. A failure is shared by those who waited and then forgotten. The system's resolver
//! has no timeout but its own.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, OnceLock};

/// The addresses of a host in the order in which the system prefers them, never empty.
pub(super) type Addresses = Result<Arc<[SocketAddr]>, Arc<io::Error>>;

/// The look-ups of one run.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    lookups: Mutex<HashMap<String, Arc<OnceLock<Addresses>>>>,
}

impl Resolver {
    /// The addresses of `host`, which is a name; the port of each is `port`.
    pub(super) fn resolve(&self, host: &str, port: u16) -> Addresses {
        let key = format!("{host}:{port}");
        let lookup = Arc::clone(self.lock().entry(key.clone()).or_default());
        let addresses = lookup.get_or_init(|| look_up(host, port)).clone();
        if addresses.is_err() {
            let mut lookups = self.lock();
            if lookups.get(&key).is_some_and(|current| Arc::ptr_eq(current, &lookup)) {
                lookups.remove(&key);
            }
        }
        addresses
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<OnceLock<Addresses>>>> {
        self.lookups.lock().expect("nothing panics while the look-ups are locked")
    }
}

fn look_up(host: &str, port: u16) -> Addresses {
    let addresses: Arc<[SocketAddr]> = (host, port).to_socket_addrs().map_err(Arc::new)?.collect();
    if addresses.is_empty() {
        return Err(Arc::new(io::Error::new(io::ErrorKind::NotFound, "it has none")));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_once_and_a_failure_is_forgotten() {
        let resolver = Resolver::default();
        let first = resolver.resolve("localhost", 80).unwrap();
        assert!(first.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
        let second = resolver.resolve("localhost", 80).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(resolver.resolve("localhost", 81).unwrap()[0].port(), 81);
        // A label is at most 63 bytes long, so nobody is asked.
        let impossible = format!("{}.invalid", "x".repeat(64));
        resolver.resolve(&impossible, 80).unwrap_err();
        assert_eq!(resolver.lock().len(), 2);
    }
}
