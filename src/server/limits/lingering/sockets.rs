//! All sockets that wait for a request or linger, in order of arrival.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use super::lingering_socket::LingeringSocket;
use super::pending_request::{Head, PendingRequest};

/// The sockets. Keys grow with time, so the first of a map is its oldest.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pending: BTreeMap<u64, PendingRequest>,
    lingering: BTreeMap<u64, LingeringSocket>,
    /// True while the worker holds one that it has taken out.
    is_one_taken: bool,
    last_key: u64,
}

/// A socket of either kind.
#[derive(Debug)]
pub(super) enum Entry {
    Pending(PendingRequest),
    Lingering(LingeringSocket),
}

/// The sockets and the deadline that the worker waits for.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) sockets: Vec<(u64, Arc<TcpStream>)>,
    /// The first deadline of any socket.
    pub(super) deadline: Option<Instant>,
}

impl Sockets {
    pub(super) fn add(&mut self, entry: Entry) {
        self.last_key += 1;
        self.insert(self.last_key, entry);
    }

    fn insert(&mut self, key: u64, entry: Entry) {
        match entry {
            Entry::Pending(pending) => drop(self.pending.insert(key, pending)),
            Entry::Lingering(socket) => drop(self.lingering.insert(key, socket)),
        }
    }

    /// How many there are, with the one that the worker holds.
    pub(super) fn count(&self) -> usize {
        self.pending.len() + self.lingering.len() + usize::from(self.is_one_taken)
    }

    /// Removes the oldest that waits for a request, if there are more than `max_pending`.
    pub(super) fn evict_pending(&mut self, max_pending: usize) -> Option<PendingRequest> {
        let is_full = self.pending.len() > max_pending;
        is_full.then(|| self.pending.pop_first()).flatten().map(|(_, pending)| pending)
    }

    /// Removes the oldest that linger, as many as there are sockets beyond `capacity`.
    pub(super) fn evict_lingering(&mut self, capacity: usize) -> Vec<LingeringSocket> {
        let surplus = self.count().saturating_sub(capacity);
        let oldest = std::iter::from_fn(|| self.lingering.pop_first());
        oldest.take(surplus).map(|(_, socket)| socket).collect()
    }

    pub(super) fn watched(&self) -> Watched {
        let pending = self.pending.iter().map(|(key, pending)| (key, &pending.stream));
        let lingering = self.lingering.iter().map(|(key, socket)| (key, &socket.stream));
        let sockets = pending.chain(lingering).map(|(key, stream)| (*key, Arc::clone(stream)));
        let pending = self.pending.values().map(|pending| pending.deadline);
        let lingering = self.lingering.values().map(LingeringSocket::deadline);
        Watched { sockets: sockets.collect(), deadline: pending.chain(lingering).min() }
    }

    /// The sockets past their deadline.
    pub(super) fn overdue(&self, now: Instant) -> Vec<u64> {
        let pending = self.pending.iter().filter(|(_, pending)| pending.deadline <= now);
        let lingering = self.lingering.iter().filter(|(_, socket)| socket.deadline() <= now);
        pending.map(|(key, _)| *key).chain(lingering.map(|(key, _)| *key)).collect()
    }

    /// Takes a socket out until [`Sockets::put_back`]; `None` if it was evicted meanwhile.
    pub(super) fn take(&mut self, key: u64) -> Option<Entry> {
        let pending = self.pending.remove(&key).map(Entry::Pending);
        let taken = pending.or_else(|| self.lingering.remove(&key).map(Entry::Lingering));
        self.is_one_taken = taken.is_some();
        taken
    }

    /// Returns the socket that was taken out, or, with `None`, forgets it.
    pub(super) fn put_back(&mut self, key: u64, entry: Option<Entry>) {
        self.is_one_taken = false;
        if let Some(entry) = entry {
            self.insert(key, entry);
        }
    }

    /// Removes all. New maps replace the emptied ones, which would keep allocations in the heap of a
    /// thread that may have ended.
    pub(super) fn take_all(&mut self) -> Vec<Entry> {
        let pending = std::mem::take(&mut self.pending).into_values().map(Entry::Pending);
        let lingering = std::mem::take(&mut self.lingering).into_values().map(Entry::Lingering);
        pending.chain(lingering).collect()
    }
}

impl Entry {
    /// Takes the next step that its input and the time allow; `None` when it is to be closed.
    pub(super) fn advance(self, scratch: &mut [u8], now: Instant) -> Option<Self> {
        match self {
            Self::Pending(mut pending) => match pending.read_head(scratch) {
                Head::Incomplete if now < pending.deadline => Some(Self::Pending(pending)),
                Head::Incomplete | Head::Complete if pending.send() => {
                    Some(Self::Lingering(LingeringSocket::new(pending.stream, now)))
                }
                _ => None,
            },
            Self::Lingering(mut socket) => {
                socket.discard_input(scratch, now).then_some(Self::Lingering(socket))
            }
        }
    }

    /// Sends the response, if that has not been done, and closes the socket.
    pub(super) fn close(self) {
        match self {
            Self::Pending(pending) => pending.send_and_close(),
            Self::Lingering(socket) => socket.close(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::time::Duration;

    use super::*;
    use crate::server::limits::lingering::encoded_response::EncodedResponse;
    use crate::server::limits::lingering::pending_request::{HEAD_TIMEOUT, RequestProgress};
    use crate::server::limits::lingering::test_connection::connection;
    use crate::server::test_wait::wait_until;

    fn pending(now: Instant) -> Entry {
        let (_peer, stream) = connection();
        let response = EncodedResponse::new(Vec::new(), b"");
        Entry::Pending(PendingRequest::new(
            stream.into(),
            RequestProgress::default(),
            response,
            now,
        ))
    }

    fn lingering(now: Instant) -> Entry {
        let (_peer, stream) = connection();
        Entry::Lingering(LingeringSocket::new(stream.into(), now))
    }

    #[test]
    fn the_oldest_are_evicted_beyond_each_bound_and_not_at_it() {
        let started_at = Instant::now();
        let mut sockets = Sockets::default();
        sockets.add(pending(started_at));
        sockets.add(lingering(started_at));
        sockets.add(pending(started_at + Duration::from_secs(1)));
        sockets.add(lingering(started_at + Duration::from_secs(1)));
        assert!(sockets.evict_pending(2).is_none());
        assert!(sockets.evict_lingering(4).is_empty());
        let oldest = sockets.evict_pending(1).unwrap();
        assert_eq!(oldest.deadline, started_at + HEAD_TIMEOUT);
        assert!(sockets.take(3).is_some());
        assert_eq!(sockets.count(), 3, "one that is taken counts");
        let oldest = sockets.evict_lingering(2);
        assert_eq!(oldest.len(), 1);
        assert_eq!(
            oldest[0].deadline(),
            LingeringSocket::new(connection().1.into(), started_at).deadline()
        );
        sockets.put_back(3, None);
        assert_eq!(sockets.count(), 1);
        assert!(sockets.take(3).is_none(), "it was not returned");
        assert_eq!(sockets.count(), 1);
    }

    #[test]
    fn a_request_is_waited_for_until_its_deadline() {
        let begun = Instant::now();
        let (mut peer, stream) = connection();
        peer.write_all(b"GET ").unwrap();
        wait_until("the bytes have come", || stream.peek(&mut [0; 8]).unwrap() == 4);
        let response = EncodedResponse::new(b"answer".to_vec(), b"");
        let progress = RequestProgress::default();
        let entry = Entry::Pending(PendingRequest::new(stream.into(), progress, response, begun));
        let before = (begun + HEAD_TIMEOUT).checked_sub(Duration::from_nanos(1)).unwrap();
        let entry = entry.advance(&mut [0; 8], before).unwrap();
        assert!(matches!(entry, Entry::Pending(_)), "{entry:?}");
        let entry = entry.advance(&mut [0; 8], begun + HEAD_TIMEOUT).unwrap();
        assert!(matches!(entry, Entry::Lingering(_)), "{entry:?}");
        let mut answer = [0; 8];
        assert_eq!(peer.read(&mut answer).unwrap(), 6);
    }

    #[test]
    fn a_socket_is_overdue_from_its_deadline_on() {
        let started_at = Instant::now();
        let mut sockets = Sockets::default();
        assert_eq!(sockets.watched().deadline, None);
        sockets.add(lingering(started_at));
        let close = sockets.watched().deadline.unwrap();
        sockets.add(pending(started_at));
        let answer = sockets.watched().deadline.unwrap();
        assert_eq!(answer, started_at + HEAD_TIMEOUT);
        let before = |time: Instant| time.checked_sub(Duration::from_nanos(1)).unwrap();
        for (now, overdue) in
            [(before(answer), &[][..]), (answer, &[2]), (before(close), &[2]), (close, &[2, 1])]
        {
            assert_eq!(sockets.overdue(now), overdue);
        }
    }
}
