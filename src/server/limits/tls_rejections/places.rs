//! A bounded number of places, in all and for each client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// The places, and who has them.
#[derive(Debug)]
pub(super) struct Places {
    capacity: usize,
    per_client: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A place that was taken. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    client: Option<IpAddr>,
}

impl Places {
    pub(super) fn new(capacity: usize, per_client: usize) -> Arc<Self> {
        Arc::new(Self { capacity, per_client, taken: Mutex::default() })
    }

    /// Takes a place for the client, unless it has its most, or all are taken. A client that is not known yet counts
    /// only with all.
    pub(super) fn take(self: &Arc<Self>, client: Option<IpAddr>) -> Option<Place> {
        let mut taken = lock(&self.taken);
        let of_client =
            client.and_then(|client| taken.by_client.get(&client)).copied().unwrap_or(0);
        if taken.total >= self.capacity || of_client >= self.per_client {
            return None;
        }
        taken.total += 1;
        if let Some(client) = client {
            taken.by_client.insert(client, of_client + 1);
        }
        Some(Place { places: Arc::clone(self), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        taken.total -= 1;
        let Some(client) = self.client else { return };
        if let Some(count) = taken.by_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                taken.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_takes_more_than_its_most_and_all_together_no_more_than_there_are() {
        const PER_CLIENT: usize = 3;
        let places = Places::new(2 * PER_CLIENT + 2, PER_CLIENT);
        let take = |number: u8| places.take(Some([127, 0, 0, number].into()));
        let mut taken: Vec<_> = (0..PER_CLIENT).map(|_| take(1).unwrap()).collect();
        assert!(take(1).is_none(), "the client has its most");
        taken.extend((0..PER_CLIENT).map(|_| take(2).unwrap()));
        taken.push(places.take(None).unwrap());
        taken.push(places.take(None).unwrap());
        assert!(take(3).is_none() && places.take(None).is_none(), "all are taken");
        taken.remove(0);
        taken.push(take(1).unwrap());
        drop(taken);
        let left = lock(&places.taken);
        assert_eq!(left.total, 0);
        assert!(left.by_client.is_empty(), "nothing is kept of clients without a place");
    }
}
