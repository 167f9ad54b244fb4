//! The status in the text exposition format of Prometheus, version 0.0.4.
//!
//! Names follow its conventions: base units, and `_total` for counters. Values of single clients and
//! connections are only in the other forms: addresses are unsuitable as labels. The names are an
//! interface: names are added, none is renamed.

use std::fmt::{Display, Write as _};
use std::time::UNIX_EPOCH;

use super::counters::Counts;
use super::snapshot::Snapshot;
use crate::server::limits::phase::Phase;

const PREFIX: &str = "http_server_conc";

pub(super) fn render(snapshot: &Snapshot) -> String {
    let mut page = Exposition::default();
    gauges(snapshot, &mut page);
    counters(&snapshot.counters, &mut page);
    page.text
}

fn gauges(snapshot: &Snapshot, page: &mut Exposition) {
    let started = snapshot.started_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    page.gauge("start_time_seconds", "When the server started, in Unix time.")
        .sample("", started.as_secs_f64());
    page.gauge("ready", "1, or 0 once the server has been told to stop.")
        .sample("", u8::from(!snapshot.is_stopping));
    page.gauge("connections", "Connections that hold a slot.").sample("", snapshot.held);
    page.gauge("connections_limit", "Connections that may be held at once, by scope.")
        .labelled("scope", "client", snapshot.limits.per_client)
        .labelled("scope", "total", snapshot.limits.total);
    for (index, (scope, rate)) in snapshot.rates.by_scope().enumerate() {
        if index == 0 {
            page.gauge("rate_limit_bytes_per_second", "Bytes that may be sent a second, by scope.");
        }
        page.labelled("scope", scope, rate);
    }
    page.gauge(
        "crowded_connections",
        "Held connections from which on none is kept after its response.",
    )
    .sample("", snapshot.keep_alive_threshold);
    page.gauge("phase_connections", "Connections by what they are at.");
    for phase in Phase::ALL {
        page.labelled("phase", phase.name(), snapshot.in_phase(phase));
    }
    page.gauge("clients", "Clients that hold a connection.").sample("", snapshot.holding_clients());
    page.gauge("waiting_connections", "Connections that wait for a slot.")
        .sample("", snapshot.waiting);
    page.gauge("threads", "Threads of connections, with those parked.")
        .sample("", snapshot.threads);
    page.gauge("parked_threads", "Threads that wait for their next connection.")
        .sample("", snapshot.parked);
    page.gauge("lingering_sockets", "Closed connections whose peers may still read their answer.")
        .sample("", snapshot.lingering);
    for (index, certificate) in snapshot.certificates.iter().enumerate() {
        if index == 0 {
            page.gauge(
                "certificate_not_after_seconds",
                "When each certificate ends, in Unix time.",
            );
        }
        let file = label_value(&certificate.file.to_string_lossy());
        let names = label_value(&certificate.names.join(","));
        page.sample(
            &format!("{{file=\"{file}\",names=\"{names}\"}}"),
            certificate.validity.not_after.as_second(),
        );
    }
}

/// Escapes text as the format demands it between quotes.
fn label_value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn counters(counts: &Counts, page: &mut Exposition) {
    for (metric, count) in counts.iter() {
        let (family, labels) = match metric.series.find('{') {
            Some(at) => metric.series.split_at(at),
            None => (metric.series, ""),
        };
        if page.family != family {
            page.begin("counter", family, metric.help);
        }
        page.sample(labels, count);
    }
}

/// Writes metric families, each with its help and type before its samples.
#[derive(Default)]
struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    fn gauge(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.begin("gauge", name, help)
    }

    fn begin(&mut self, kind: &str, name: &'static str, help: &str) -> &mut Self {
        self.family = name;
        self.line(format_args!("# HELP {PREFIX}_{name} {help}"));
        self.line(format_args!("# TYPE {PREFIX}_{name} {kind}"));
        self
    }

    fn labelled(&mut self, label: &str, value: &str, sample: impl Display) -> &mut Self {
        self.sample(&format!("{{{label}=\"{value}\"}}"), sample)
    }

    fn sample(&mut self, labels: &str, value: impl Display) -> &mut Self {
        let family = self.family;
        self.line(format_args!("{PREFIX}_{family}{labels} {value}"));
        self
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("writing to memory succeeds");
    }
}
