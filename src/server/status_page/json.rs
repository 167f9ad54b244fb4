//! The status as JSON, for programs.
//!
//! The names below are an interface: names are added, none is renamed. A name that ends in
//! `_seconds` is a time in seconds with a fraction, `started` is RFC 3339 in UTC, and all other
//! numbers are whole. Strings may hold what a client sent.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::printable::{self, JsonLayout};
use crate::server::snapshot::{ClientRow, ConnectionRow, Counters, Snapshot};

pub(super) fn render(snapshot: &Snapshot) -> String {
    let started = Timestamp::try_from(snapshot.started).unwrap_or_default();
    let document = json!({
        "started": started.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "uptime_seconds": snapshot.uptime.as_secs_f64(),
        "limits": { "per_client": snapshot.limits.per_client, "total": snapshot.limits.total },
        "held": snapshot.held,
        "crowded_from": snapshot.crowded_from,
        "clients": snapshot.clients.iter().map(client).collect::<Value>(),
        "connections": snapshot.connections.iter().map(connection).collect::<Value>(),
        "counters": counters(&snapshot.counters),
        "threads": snapshot.threads,
        "parked": snapshot.parked,
        "lingering": snapshot.lingering,
    });
    printable::json(&document, JsonLayout::Indented) + "\n"
}

fn client(row: &ClientRow) -> Value {
    json!({
        "client": row.client,
        "active": row.active,
        "idle": row.idle,
        "held_longest_seconds": row.held_longest.as_secs_f64(),
        "bytes_sent": row.bytes_sent,
        "rejections": row.rejections,
        "exempt": row.exempt,
    })
}

fn connection(row: &ConnectionRow) -> Value {
    json!({
        "client": row.client,
        "id": row.id,
        "phase": row.phase.name(),
        "in_phase_seconds": row.in_phase.as_secs_f64(),
        "open_seconds": row.open.as_secs_f64(),
        "requests": row.requests,
        "bytes_sent": row.bytes_sent,
        "doing": row.doing,
    })
}

fn counters(counters: &Counters) -> Value {
    let [informational, successful, redirection, client_error, server_error] =
        counters.responses_by_class;
    json!({
        "connections": counters.connections,
        "requests": counters.requests,
        "responses": {
            "1xx": informational,
            "2xx": successful,
            "3xx": redirection,
            "4xx": client_error,
            "5xx": server_error,
        },
        "bytes_sent": counters.bytes_sent,
        "rejected": { "client": counters.rejected_per_client, "total": counters.rejected_total },
        "would_reject": counters.would_reject,
        "reclaimed": counters.reclaimed,
        "accept_errors": counters.accept_errors,
        "spawn_failures": counters.spawn_failures,
        "panics": counters.panics,
        "head_timeouts": counters.head_timeouts,
        "slow_drops": counters.slow_drops,
        "log_lines_dropped": counters.log_lines_dropped,
    })
}
