//! The state of a server at one moment, as plain data.

use std::time::{Duration, SystemTime};

use super::counters::Counts;
use crate::server::limits::admission::Limits;
use crate::server::limits::connection_rates::MaximumRates;
use crate::server::limits::phase::Phase;
use crate::server::tls::certificates::CertificateSummary;

/// The state of a server at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub started_at: SystemTime,
    pub uptime: Duration,
    pub limits: Limits,
    pub rates: MaximumRates,
    /// Connections that hold a slot.
    pub held: usize,
    /// Clients that hold a slot; a connection from a proxy has no client until its PROXY header is read.
    pub holders: usize,
    /// From this number of connections on, none is kept after a response.
    pub keep_alive_threshold: usize,
    /// Clients that hold a connection, wait for a slot or were rejected recently, in display order.
    pub clients: Vec<ClientRow>,
    /// Connections that hold a slot, in display order.
    pub connections: Vec<ConnectionRow>,
    pub counters: Counts,
    /// Connections that wait for a slot.
    pub waiting: usize,
    /// Threads of connections, including those parked.
    pub threads: usize,
    /// Threads that wait for another connection.
    pub parked: usize,
    /// Sockets that linger until the client has read the last response.
    pub lingering: usize,
    /// The server has been told to stop: health checks fail.
    pub is_stopping: bool,
    /// The certificates that new connections get; none without TLS.
    pub certificates: Vec<CertificateSummary>,
}

/// A client. Its connections are counted together against its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// An address or a network.
    pub client: String,
    /// Connections within a request.
    pub active: usize,
    /// Connections that wait for a request.
    pub idle: usize,
    /// Connections that wait for a slot.
    pub waiting: usize,
    /// The age of its oldest connection.
    pub held_longest: Duration,
    /// Bytes of content sent over its present connections.
    pub bytes_sent: u64,
    /// Connections that were over a limit, recently.
    pub rejections: u64,
    /// Connections that were denied for their address, recently.
    pub denials: u64,
    /// Requests with a wrong password, recently.
    pub wrong_passwords: u64,
    /// Whether it has no limit of its own.
    pub exempt: bool,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRow {
    pub client: String,
    /// Numbers the connections since the start of the server.
    pub id: u64,
    pub phase: Phase,
    /// Since the phase began.
    pub in_phase: Duration,
    /// Since the connection was accepted.
    pub open: Duration,
    /// Answered requests.
    pub requests: u64,
    /// Bytes of content.
    pub bytes_sent: u64,
    /// The current request, as the client sent it, or empty.
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
