//! The status as JSON, for programs.
//!
//! The names are an interface: names are added, none is renamed. Names that end in `_seconds` are times in
//! seconds with a fraction, `started`, `not_before` and `not_after` are times in UTC (RFC 3339), all other numbers are
//! integers. Strings may contain text from clients.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::counters::Counts;
use super::snapshot::{ClientRow, ConnectionRow, Snapshot};
use crate::printable::{JsonLayout, write_json};
use crate::server::large_buffer;
use crate::server::tls::certificates::CertificateSummary;

#[derive(Serialize)]
struct Document<'s> {
    started: String,
    uptime_seconds: f64,
    limits: Value,
    rates: Value,
    held: usize,
    crowded_from: usize,
    clients: Rows<'s, ClientRow>,
    connections: Rows<'s, ConnectionRow>,
    counters: Value,
    waiting: usize,
    threads: usize,
    parked: usize,
    lingering: usize,
    stopping: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<Value>,
}

/// Rows that are serialized one at a time, since there may be thousands.
struct Rows<'s, R> {
    rows: &'s [R],
    object: fn(&R) -> Value,
}

impl<R> Serialize for Rows<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(self.object))
    }
}

pub(super) fn render(snapshot: &Snapshot) -> String {
    let started = Timestamp::try_from(snapshot.started_at).unwrap_or_default();
    let document = Document {
        started: started.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        uptime_seconds: snapshot.uptime.as_secs_f64(),
        limits: json!({ "per_client": snapshot.limits.per_client, "total": snapshot.limits.total }),
        rates: json!(snapshot.rates.by_scope().collect::<BTreeMap<_, _>>()),
        held: snapshot.held,
        crowded_from: snapshot.keep_alive_threshold,
        clients: Rows { rows: &snapshot.clients, object: client },
        connections: Rows { rows: &snapshot.connections, object: connection },
        counters: counters(&snapshot.counters),
        waiting: snapshot.waiting,
        threads: snapshot.threads,
        parked: snapshot.parked,
        lingering: snapshot.lingering,
        stopping: snapshot.is_stopping,
        certificates: snapshot.certificates.iter().map(certificate).collect(),
    };
    let mut text = Vec::new();
    large_buffer::reserve(&mut text, 1);
    write_json(&document, JsonLayout::Indented, &mut text).expect("writing to memory succeeds");
    text.push(b'\n');
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn client(row: &ClientRow) -> Value {
    json!({
        "client": row.client,
        "active": row.active,
        "idle": row.idle,
        "waiting": row.waiting,
        "held_longest_seconds": row.held_longest.as_secs_f64(),
        "bytes_sent": row.bytes_sent,
        "rejections": row.rejections,
        "denials": row.denials,
        "wrong_passwords": row.wrong_passwords,
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

fn certificate(summary: &CertificateSummary) -> Value {
    json!({
        "file": summary.file.to_string_lossy(),
        "names": summary.names,
        "not_before": summary.validity.not_before.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "not_after": summary.validity.not_after.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "state": summary.state.name(),
    })
}

/// An object of all counters; the responses and the rejections are objects within it.
fn counters(counts: &Counts) -> Value {
    let mut object = json!({});
    for (metric, count) in counts.iter() {
        match metric.json.split_once('.') {
            Some((group, name)) => object[group][name] = count.into(),
            None => object[metric.json] = count.into(),
        }
    }
    object
}
