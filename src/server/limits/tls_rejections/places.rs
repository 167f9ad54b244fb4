//! How many connections that are not served are answered over TLS at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// Most places of one client.
const MAX_PER_CLIENT: usize = 8;

/// The places, and who has them.
#[derive(Debug)]
pub(crate) struct Places {
    capacity: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A place that was taken. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    client: IpAddr,
}

impl Places {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, taken: Mutex::default() })
    }

    /// Takes a place for the client, unless it has its most, or all are taken.
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let mut taken = lock(&self.taken);
        let of_client = taken.get(&client).copied().unwrap_or(0);
        if of_client >= MAX_PER_CLIENT || taken.values().sum::<usize>() >= self.capacity {
            return None;
        }
        taken.insert(client, of_client + 1);
        Some(Place { places: Arc::clone(self), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        if let Some(count) = taken.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_takes_more_than_its_most_and_all_together_no_more_than_there_are() {
        let places = Places::new(2 * MAX_PER_CLIENT + 1);
        let client = |number: u8| IpAddr::from([127, 0, 0, number]);
        let take = |number| places.take(client(number));
        let mut taken: Vec<_> = (0..MAX_PER_CLIENT).map(|_| take(1).unwrap()).collect();
        assert!(take(1).is_none(), "the client has its most");
        taken.extend((0..MAX_PER_CLIENT).map(|_| take(2).unwrap()));
        taken.push(take(3).unwrap());
        assert!(take(3).is_none(), "all are taken");
        taken.remove(0);
        assert!(take(3).is_some(), "one came back");
        drop(taken);
        assert!(lock(&places.taken).is_empty(), "nothing is kept of clients without a place");
    }
}
