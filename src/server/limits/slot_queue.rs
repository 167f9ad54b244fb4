//! Connections over a limit that wait for a slot, and what becomes of each.
//!
//! They wait without a thread of their own. Who gets a slot is decided where slots become free, by `admission`;
//! one thread asks here for what is to be done, and serves or rejects the connection.
//!
//! ```text
//! over a limit ─▶ waits ─▶ admitted   a slot became free
//!                       ─▶ rejected   the time is over, the lines are full, or the server stops
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::accepted_connection::AcceptedConnection;
use super::admission::{Admission, Permit};
use super::client_table::{ClientTable, Clients};
use super::rejection::Rejection;
use crate::lock::wait_timeout;

/// How long the thread sleeps while no connection waits.
const LONG_WAIT: Duration = Duration::from_secs(3600);

/// How long connections over a limit wait for a slot, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// From when it was accepted; then it is rejected. Default 0: it is rejected at once.
    pub time: Duration,
    /// Most connections of all clients that wait at a time. Default 1000.
    pub capacity: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { time: Duration::ZERO, capacity: 1000 }
    }
}

/// The connections that wait for a slot.
#[derive(Debug)]
pub(crate) struct SlotQueue {
    waiting: Waiting,
    admission: Arc<Admission>,
    clients: Arc<ClientTable>,
}

/// A connection that waits no longer.
#[derive(Debug)]
pub(crate) enum Waited {
    /// It has a slot.
    Admitted(AcceptedConnection, Permit),
    Rejected(AcceptedConnection, Rejection),
}

impl SlotQueue {
    /// A queue for the slots of `admission`, which counts in `clients`.
    pub(crate) fn new(
        waiting: Waiting,
        admission: Arc<Admission>,
        clients: Arc<ClientTable>,
    ) -> Self {
        Self { waiting, admission, clients }
    }

    /// Has a connection wait for a slot. Returns a connection that is to be rejected instead, this one or
    /// another, if too many wait or the server is stopping.
    pub(crate) fn add(
        &self,
        connection: AcceptedConnection,
    ) -> Option<(AcceptedConnection, Rejection)> {
        let mut clients = self.clients.lock();
        if clients.is_stopping {
            return Some(self.rejected(&clients, connection));
        }
        let before = clients.waiting.deadline();
        let (line, deadline) = (connection.line(), connection.accepted_at + self.waiting.time);
        let lost = clients.waiting.add(line, deadline, connection, self.waiting.capacity);
        let rejected = lost.map(|connection| self.rejected(&clients, connection));
        // A slot may have become free before the connection was added.
        self.admission.admit_waiting(&mut clients);
        let is_thread_concerned =
            !clients.admitted.is_empty() || clients.waiting.deadline() != before;
        drop(clients);
        if is_thread_concerned {
            self.clients.queue_changed.notify_one();
        }
        rejected
    }

    /// Waits until a connection waits no longer; `None` once the server is stopping and none is left.
    pub(crate) fn next(&self) -> Option<Waited> {
        loop {
            match self.next_in_queue()? {
                // Its slot goes to the next one.
                Waited::Admitted(connection, _) if is_gone(&connection) => {}
                waited => return Some(waited),
            }
        }
    }

    fn next_in_queue(&self) -> Option<Waited> {
        let mut clients = self.clients.lock();
        loop {
            if let Some(connection) = clients.admitted.pop_front() {
                let permit = self.admission.permit_of_waiting(connection.client);
                return Some(Waited::Admitted(connection, permit));
            }
            let now = Instant::now();
            let deadline = clients.waiting.deadline();
            if deadline.is_some_and(|deadline| deadline <= now || clients.is_stopping) {
                let connection = clients.waiting.take_first()?;
                let (connection, rejection) = self.rejected(&clients, connection);
                return Some(Waited::Rejected(connection, rejection));
            }
            if clients.is_stopping {
                return None;
            }
            let time = deadline.map_or(LONG_WAIT, |deadline| deadline - now);
            clients = wait_timeout(&self.clients.queue_changed, clients, time);
        }
    }

    /// Has all that wait rejected, and those that come later.
    pub(crate) fn stop(&self) {
        self.clients.lock().is_stopping = true;
        self.clients.queue_changed.notify_one();
    }

    fn rejected(
        &self,
        clients: &Clients,
        connection: AcceptedConnection,
    ) -> (AcceptedConnection, Rejection) {
        let rejection = self.admission.rejection_of(clients, connection.client);
        (connection, rejection)
    }
}

/// True if the peer has closed the connection without a request, or it is broken.
fn is_gone(connection: &AcceptedConnection) -> bool {
    if connection.received.as_ref().is_some_and(|input| !input.data().is_empty()) {
        return false;
    }
    match recv(&connection.stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((count, _)) => count == 0,
        Err(error) => error != Errno::AGAIN && error != Errno::INTR,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, TcpListener, TcpStream};
    use std::thread;

    use super::*;
    use crate::server::limits::accepted_connection::Purpose;
    use crate::server::limits::admission::Limits;
    use crate::server::limits::client::{Client, Location};

    const LONG: Duration = Duration::from_secs(60);

    fn queue(per_client: usize, time: Duration) -> SlotQueue {
        let clients = Arc::new(ClientTable::new(9));
        let admission = Admission::new(Limits { per_client, total: 9 }, Arc::clone(&clients));
        SlotQueue::new(Waiting { time, capacity: 9 }, admission, clients)
    }

    fn client() -> Client {
        let address = IpAddr::from([127, 0, 0, 1]);
        Client { key: address, address, exempt: false, location: Location::ThisMachine }
    }

    /// The peer's end, and the connection.
    fn connection() -> (TcpStream, AcceptedConnection) {
        connection_of(client())
    }

    fn connection_of(client: Client) -> (TcpStream, AcceptedConnection) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = Arc::new(listener.accept().unwrap().0);
        let accepted = AcceptedConnection {
            stream,
            purpose: Purpose::Files,
            peer: client.address,
            client: Some(client),
            accepted_at: Instant::now(),
            session: None,
            received: None,
        };
        (peer, accepted)
    }

    /// Between the rejection of a connection and the beginning of its wait a slot may have become free.
    #[test]
    fn a_slot_that_is_free_already_is_given_at_once() {
        let queue = queue(1, LONG);
        let (_peer, accepted) = connection();
        thread::scope(|scope| {
            let waited = scope.spawn(|| queue.next());
            // The thread waits by then, or the test proves less.
            thread::sleep(Duration::from_millis(50));
            assert!(queue.add(accepted).is_none());
            let waited = waited.join().unwrap();
            assert!(matches!(waited, Some(Waited::Admitted(..))), "{waited:?}");
        });
    }

    #[test]
    fn a_wait_ends_with_a_slot_with_the_time_or_with_the_server() {
        let brief = Duration::from_millis(1);
        for (time, is_released, is_stopped, is_admitted) in
            [(LONG, true, false, true), (brief, false, false, false), (LONG, false, true, false)]
        {
            let queue = queue(1, time);
            let held = queue.admission.admit(client()).unwrap();
            let (_peer, accepted) = connection();
            assert!(queue.add(accepted).is_none());
            let kept = (!is_released).then_some(held);
            if is_stopped {
                queue.stop();
                assert!(queue.add(connection().1).is_some(), "none waits any more");
            }
            let waited = queue.next();
            assert_eq!(matches!(waited, Some(Waited::Admitted(..))), is_admitted, "{waited:?}");
            drop((kept, waited));
            queue.stop();
            assert!(queue.next().is_none());
            assert_eq!(queue.admission.occupancy().connections, 0);
        }
    }

    /// As an exempt address within a network that has a limit.
    #[test]
    fn a_connection_without_a_limit_does_not_wait_for_one_of_its_client_that_has_one() {
        let queue = queue(1, LONG);
        let _held = queue.admission.admit(client()).unwrap();
        let exempt = Client { exempt: true, ..client() };
        let ((_limited, first), (_exempt, second)) = (connection(), connection_of(exempt));
        assert!(queue.add(first).is_none() && queue.add(second).is_none());
        let Some(Waited::Admitted(connection, _permit)) = queue.next() else {
            panic!("one has no limit")
        };
        assert_eq!(connection.client, Some(exempt));
        assert_eq!(queue.admission.waiting_of(client().key), 1);
    }
}
