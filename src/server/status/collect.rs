//! Collects a snapshot of a running server.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use super::counters::{Counters, Counts};
use super::snapshot::{ClientRow, ConnectionRow, Snapshot};
use crate::server::limits::admission::Admission;
use crate::server::limits::client::Identification;
use crate::server::limits::client_event::ClientEvent;
use crate::server::limits::client_log::ClientLog;
use crate::server::limits::connection_entry::ConnectionEntry;
use crate::server::limits::connection_rates::MaximumRates;
use crate::server::limits::lingering::closer::LingeringCloser;
use crate::server::limits::phase::Phase;
use crate::server::limits::registry::Registry;
use crate::server::logs::sink::LogHandle;
use crate::server::threads::ThreadCount;
use crate::server::tls::acceptor::TlsAcceptor;

/// The parts of the server that a snapshot is collected from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources<'s> {
    pub(crate) admission: &'s Admission,
    pub(crate) rates: MaximumRates,
    pub(crate) registry: &'s Registry,
    pub(crate) client_log: &'s ClientLog,
    pub(crate) identification: &'s Identification,
    pub(crate) lingering: &'s LingeringCloser,
    pub(crate) counters: &'s Counters,
    pub(crate) logs: &'s [LogHandle],
    pub(crate) threads: ThreadCount,
    pub(crate) keep_alive_threshold: usize,
    pub(crate) started_at: StartTime,
    pub(crate) is_stopping: bool,
    pub(crate) tls: Option<&'s TlsAcceptor>,
}

/// When the server started, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartTime {
    /// For display: the system time, which may be set.
    system: SystemTime,
    /// For the uptime.
    monotonic: Instant,
}

impl StartTime {
    pub(crate) fn now() -> Self {
        Self { system: SystemTime::now(), monotonic: Instant::now() }
    }
}

/// Collects a snapshot of the server.
pub(crate) fn snapshot(sources: &Sources<'_>) -> Snapshot {
    let limits = sources.admission.limits();
    let occupancy = sources.admission.occupancy();
    let mut entries = sources.registry.entries();
    entries.sort_by_key(|entry| entry.opened_at);
    Snapshot {
        started_at: sources.started_at.system,
        uptime: sources.started_at.monotonic.elapsed(),
        limits,
        rates: sources.rates,
        held: occupancy.connections,
        holders: occupancy.clients,
        keep_alive_threshold: sources.keep_alive_threshold,
        clients: client_rows(sources, &entries),
        connections: entries.iter().filter_map(|entry| connection_row(entry)).collect(),
        counters: counts(sources),
        waiting: occupancy.waiting,
        threads: sources.threads.alive,
        parked: sources.threads.parked,
        lingering: sources.lingering.count(),
        is_stopping: sources.is_stopping,
        certificates: sources
            .tls
            .map_or_else(Vec::new, |acceptor| acceptor.certificates(Timestamp::now())),
    }
}

/// A row for each client that holds a connection, waits for a slot or was refused something recently, by descending
/// number of connections.
fn client_rows(sources: &Sources<'_>, entries: &[Arc<ConnectionEntry>]) -> Vec<ClientRow> {
    let mut others = sources.client_log.clients();
    others.extend(sources.admission.waiting_lines().iter().map(|line| line.client));
    let mut rows = Vec::with_capacity(entries.len() + others.len());
    let mut indices = HashMap::new();
    for client in entries.iter().map(|entry| entry.client.key).chain(others) {
        indices.entry(client).or_insert_with(|| {
            rows.push(empty_row(sources, client));
            rows.len() - 1
        });
    }
    for entry in entries {
        let row = &mut rows[indices[&entry.client.key]];
        row.exempt |= entry.client.exempt;
        match entry.phase() {
            Phase::Reading | Phase::Sending => row.active += 1,
            Phase::Fresh | Phase::Idle => row.idle += 1,
            Phase::Closing => {}
        }
        row.held_longest = row.held_longest.max(entry.opened_at.elapsed());
        row.bytes_sent += entry.bytes_sent.load(Ordering::Relaxed);
    }
    rows.sort_by_key(|row| {
        (Reverse(row.active + row.idle), Reverse(row.waiting), row.client.clone())
    });
    rows
}

fn empty_row(sources: &Sources<'_>, client: IpAddr) -> ClientRow {
    let events = sources.client_log.events(client);
    ClientRow {
        client: sources.identification.name(client),
        active: 0,
        idle: 0,
        waiting: sources.admission.waiting_of(client),
        held_longest: Duration::ZERO,
        bytes_sent: 0,
        rejections: events.get(ClientEvent::Rejected),
        denials: events.get(ClientEvent::Denied),
        wrong_passwords: events.get(ClientEvent::WrongPassword),
        exempt: false,
    }
}

fn counts(sources: &Sources<'_>) -> Counts {
    let log_lines_dropped = sources.logs.iter().map(LogHandle::dropped).sum();
    Counts { log_lines_dropped, ..sources.counters.read() }
}

/// `None` for a connection that is being closed.
fn connection_row(entry: &ConnectionEntry) -> Option<ConnectionRow> {
    let phase = entry.phase();
    (phase != Phase::Closing).then(|| ConnectionRow {
        client: entry.client.address.to_string(),
        id: entry.id,
        phase,
        in_phase: entry.in_phase(),
        open: entry.opened_at.elapsed(),
        requests: entry.requests.load(Ordering::Relaxed),
        bytes_sent: entry.bytes_sent.load(Ordering::Relaxed),
        doing: entry.request(),
    })
}
