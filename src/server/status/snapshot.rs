//! What a server is doing at one moment, as plain data: the status page renders it in its forms.

use std::time::{Duration, SystemTime};

use super::counters::Counts;
use crate::server::limits::admission::Limits;
use crate::server::limits::phase::Phase;

/// A server at one moment. Counters run from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub started: SystemTime,
    pub uptime: Duration,
    pub limits: Limits,
    /// Connections that hold a slot.
    pub held: usize,
    /// Clients that hold one; none for a proxy that has yet to say for whom it speaks.
    pub holders: usize,
    /// From so many on, a connection is no longer kept after a response.
    pub crowded_from: usize,
    /// Clients that hold a connection or were rejected lately; in the order to be shown.
    pub clients: Vec<ClientRow>,
    /// Connections that hold a slot; in the order to be shown.
    pub connections: Vec<ConnectionRow>,
    pub counters: Counts,
    /// Threads of connections, with those that wait for their next.
    pub threads: usize,
    /// Threads that wait for their next connection.
    pub parked: usize,
    /// Sockets whose peers may still read their last answer.
    pub lingering: usize,
}

/// What is counted together against the limit of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// An address, or a network.
    pub client: String,
    /// Connections that are in the middle of a request.
    pub active: usize,
    /// Connections that wait for a request, their first or their next.
    pub idle: usize,
    /// The age of its oldest connection.
    pub held_longest: Duration,
    /// Bytes of content sent over the connections that it holds now.
    pub bytes_sent: u64,
    /// Connections that were rejected for its own limit.
    pub rejections: u64,
    /// No limit of its own holds for it.
    pub exempt: bool,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRow {
    pub client: String,
    /// Counts the connections of the server's life.
    pub id: u64,
    pub phase: Phase,
    /// Since the phase began.
    pub in_phase: Duration,
    /// Since it was accepted.
    pub open: Duration,
    /// Requests that were answered.
    pub requests: u64,
    /// Bytes of content.
    pub bytes_sent: u64,
    /// What it is about: its request, say. May be empty, and may hold anything that a client sent.
    pub doing: String,
}

impl Snapshot {
    /// Clients that hold a connection.
    #[must_use]
    pub fn holding_clients(&self) -> usize {
        self.clients.iter().filter(|row| row.active + row.idle > 0).count()
    }

    /// How many connections are in this phase.
    #[must_use]
    pub fn in_phase(&self, phase: Phase) -> usize {
        self.connections.iter().filter(|row| row.phase == phase).count()
    }
}
