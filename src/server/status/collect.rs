//! The look at a running server that its status page shows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use super::counters::{Counters, Counts};
use super::snapshot::{ClientRow, ConnectionRow, Snapshot};
use crate::server::limits::admission::Admission;
use crate::server::limits::client::Identification;
use crate::server::limits::lingering::Lingering;
use crate::server::limits::registry::{Live, Phase, Registry};
use crate::server::limits::rejection_log::RejectionLog;
use crate::server::logs::sink::LogHandle;

/// Where it is known what the server is doing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources<'s> {
    pub(crate) admission: &'s Admission,
    pub(crate) registry: &'s Registry,
    pub(crate) rejections: &'s RejectionLog,
    pub(crate) identification: &'s Identification,
    pub(crate) lingering: &'s Lingering,
    pub(crate) counters: &'s Counters,
    pub(crate) logs: &'s [LogHandle],
    /// How many threads serve connections, and how many of them wait for their next.
    pub(crate) threads: (usize, usize),
    pub(crate) crowded_from: usize,
    pub(crate) started: SystemTime,
    pub(crate) since: Instant,
}

/// The server at this moment.
pub(crate) fn snapshot(sources: &Sources<'_>) -> Snapshot {
    let limits = sources.admission.limits();
    let (held, holders) = sources.admission.held();
    let mut live = sources.registry.all();
    live.sort_by_key(|live| live.since);
    let (threads, parked) = sources.threads;
    Snapshot {
        started: sources.started,
        uptime: sources.since.elapsed(),
        limits,
        held,
        holders,
        crowded_from: sources.crowded_from,
        clients: client_rows(sources, &live),
        connections: live.iter().filter_map(|live| connection_row(live)).collect(),
        counters: counts(sources),
        threads,
        parked,
        lingering: sources.lingering.count(),
    }
}

/// A row for each client that holds a connection or was rejected lately; those with most first.
fn client_rows(sources: &Sources<'_>, live: &[Arc<Live>]) -> Vec<ClientRow> {
    let rejected = sources.rejections.clients();
    let mut rows = Vec::with_capacity(live.len() + rejected.len());
    let mut places = HashMap::new();
    for client in live.iter().map(|live| live.client.key).chain(rejected) {
        places.entry(client).or_insert_with(|| {
            rows.push(empty_row(sources, client));
            rows.len() - 1
        });
    }
    for live in live {
        let row = &mut rows[places[&live.client.key]];
        row.exempt |= live.client.exempt;
        match live.phase() {
            Phase::Reading | Phase::Sending => row.active += 1,
            Phase::Fresh | Phase::Idle => row.idle += 1,
            Phase::Closing => {}
        }
        row.held_longest = row.held_longest.max(live.since.elapsed());
        row.bytes_sent += live.bytes_sent.load(Ordering::Relaxed);
    }
    rows.sort_by_key(|row| (std::cmp::Reverse(row.active + row.idle), row.client.clone()));
    rows
}

fn empty_row(sources: &Sources<'_>, client: IpAddr) -> ClientRow {
    ClientRow {
        client: sources.identification.name(client),
        active: 0,
        idle: 0,
        held_longest: Duration::ZERO,
        bytes_sent: 0,
        rejections: sources.rejections.count(client),
        exempt: false,
    }
}

fn counts(sources: &Sources<'_>) -> Counts {
    let log_lines_dropped = sources.logs.iter().map(LogHandle::dropped).sum();
    Counts { log_lines_dropped, ..sources.counters.read() }
}

/// `None` for a connection that is about to leave.
fn connection_row(live: &Live) -> Option<ConnectionRow> {
    let phase = live.phase();
    (phase != Phase::Closing).then(|| ConnectionRow {
        client: live.client.address.to_string(),
        id: live.id,
        phase,
        in_phase: live.in_phase(),
        open: live.since.elapsed(),
        requests: live.requests.load(Ordering::Relaxed),
        bytes_sent: live.bytes_sent.load(Ordering::Relaxed),
        doing: live.request(),
    })
}
