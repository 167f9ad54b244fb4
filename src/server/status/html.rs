//! The status as a page for people; readable on a phone, with a dark colour scheme, and in a text browser.
//!
//! It refreshes itself, by a field of the response, until its first link is followed: a page that always
//! does cannot be read at one's own pace (WCAG 2.2, success criteria 2.2.1 and 2.2.2).

use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};

use super::counters::{Counts, Display, Metric, Section};
use super::snapshot::{ClientRow, ConnectionRow, Snapshot};
use crate::printable::escape_text;
use crate::server::html::page::page;
use crate::server::html::quantity::{duration, grouped, size};
use crate::server::limits::phase::Phase;
use crate::server::tls::certificates::CertificateSummary;
use crate::server::tls::validity::ValidityState;

/// Seconds between two refreshes: enough to reach the link that stops them by keyboard.
pub(super) const REFRESH_SECONDS: u64 = 5;

/// Whether the page refreshes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    On,
    Off,
}

/// Most rows of a table; more would keep a browser busy at each refresh.
const MAX_ROWS: usize = 100;

/// Most characters of a connection's request.
const MAX_DOING: usize = 200;

const STYLE: &str = "\
body{max-width:80rem}main,footer{font-variant-numeric:tabular-nums}\
h1,p{margin:.5rem 0}h2{font-size:1rem;margin:1.5rem 0 0;padding:0 .5rem}\
meter{display:block;width:100%;height:1rem}\
.use{font-size:1.5rem;margin:0}.faint{color:var(--faint)}\
.wide{overflow-x:auto}caption{text-align:left;padding:0 .5rem;color:var(--faint)}\
th{font-weight:normal;color:var(--faint)}\
td.number,th.number{text-align:right}\
td meter{display:inline-block;vertical-align:middle;width:6rem;height:.75rem;margin-right:.5rem}\
td.doing{width:100%;min-width:10rem;max-width:0;overflow:hidden;text-overflow:ellipsis}\
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(16rem,1fr));\
gap:0 2rem;margin:0;padding:0 .5rem}\
dl div{display:flex;justify-content:space-between;gap:1rem;padding:.2rem 0;\
border-bottom:1px solid var(--line)}\
dd{margin:0}.trouble{color:#c00;font-weight:bold}\
@media(prefers-color-scheme:dark){.trouble{color:#f77}}\
@media(max-width:40rem){.minor,th.doing{display:none}td meter{width:2rem}\
td.client{white-space:normal;overflow-wrap:anywhere}\
.connections tr{display:grid;grid-template-columns:1fr 5rem 6rem;\
border-bottom:1px solid var(--line)}\
.connections td{border:0;padding-top:.2rem;padding-bottom:.2rem}\
.connections .doing{grid-column:1/-1;width:auto;max-width:none;color:var(--faint)}\
.connections .doing:empty{display:none}}";

pub(super) fn render(snapshot: &Snapshot, refresh: Refresh) -> String {
    let stopping = if snapshot.is_stopping { "stopping, " } else { "" };
    let Snapshot { held, limits, .. } = snapshot;
    let title = format!("{stopping}{held} of {} \u{b7} http_server_conc", limits.total);
    let head = html! { style { (PreEscaped(STYLE)) } };
    let body = html! {
        main {
            h1 { "http_server_conc" }
            (refreshing(refresh))
            @if snapshot.is_stopping {
                p { strong { "Stopping" } ": health checks fail, and each response closes its connection." }
            }
            (slots(snapshot))
            (clients(snapshot))
            (connections(snapshot))
            (certificates(snapshot))
            h2 { "Since the start" }
            (counters(&snapshot.counters))
        }
        footer {
            "The same as "
            a href="?format=json" { "JSON" } " and for "
            a href="?format=prometheus" { "Prometheus" } "."
        }
    };
    page(&title, &head, &body).into_string()
}

/// How the page is refreshed, and the link that changes it.
fn refreshing(refresh: Refresh) -> Markup {
    html! {
        p.faint {
            @match refresh {
                Refresh::On => {
                    "Refreshed every " (REFRESH_SECONDS) " seconds. "
                    a href="?format=html&refresh=off" { "Stop refreshing" }
                }
                Refresh::Off => {
                    "Not refreshed. "
                    a href="?format=html" { "Refresh every " (REFRESH_SECONDS) " seconds" }
                }
            }
        }
    }
}

/// The use of the total limit, the phases of connections, threads and uptime.
fn slots(snapshot: &Snapshot) -> Markup {
    let Snapshot { limits, held, keep_alive_threshold, .. } = snapshot;
    let started = Timestamp::try_from(snapshot.started_at).unwrap_or_default();
    html! {
        p.use { (held) " of " (limits.total) " connections" }
        p {
            meter min="0" max=(limits.total) low=(keep_alive_threshold)
                high=(limits.total.saturating_sub(1)) optimum="0" value=(held)
                aria-label="use of the total" {}
        }
        p {
            @for (index, phase) in Phase::ALL.into_iter().enumerate() {
                @if index > 0 { ", " }
                (snapshot.in_phase(phase)) " " (phase.name())
            }
            ". At most " (limits.per_client) " a client"
            @if keep_alive_threshold < &limits.total {
                "; none is kept alive from " (keep_alive_threshold) " on"
            }
            @for (index, (scope, rate)) in snapshot.rates.by_scope().enumerate() {
                (if index == 0 { ". Rates: " } else { ", " }) (scope) " " (size(rate)) "/s"
            }
            @if snapshot.waiting > 0 { ". " (snapshot.waiting) " more wait for a slot" }
            ". " (snapshot.threads) " threads, " (snapshot.parked) " of them parked; "
            (snapshot.lingering) " sockets lingering."
        }
        p.faint {
            "Up for " (duration(snapshot.uptime)) ", since "
            time datetime=(started.strftime("%Y-%m-%dT%H:%M:%SZ")) {
                (started.strftime("%Y-%m-%d %H:%M:%S UTC"))
            }
            "."
        }
    }
}

fn clients(snapshot: &Snapshot) -> Markup {
    let limit = snapshot.limits.per_client;
    html! {
        h2 { "Clients (" (snapshot.holding_clients()) ")" }
        @if !snapshot.clients.is_empty() {
            div.wide { table {
                caption { "Those that hold connections, wait for a slot, or were refused something recently" }
                thead { tr {
                    th scope="col" { "Client" }
                    th scope="col" { "Connections" }
                    th.number.minor scope="col" { "Idle" }
                    th.number scope="col" { "Waiting" }
                    th.number.minor scope="col" { "Oldest" }
                    th.number.minor scope="col" { "Sent" }
                    th.number scope="col" { "Rejected" }
                    th.number.minor scope="col" { "Denied" }
                    th.number.minor scope="col" { "Wrong passwords" }
                } }
                tbody { "\n" @for row in snapshot.clients.iter().take(MAX_ROWS) { (client(row, limit)) "\n" } }
            } }
            (rest(snapshot.clients.len()))
        }
    }
}

fn client(row: &ClientRow, limit: usize) -> Markup {
    let held = row.active + row.idle;
    let almost = limit.saturating_sub(1);
    html! {
        tr {
            td.client { bdi { (row.client) } }
            td {
                @if row.exempt {
                    (held) " (no limit)"
                } @else {
                    meter min="0" max=(limit) low=(almost) high=(almost) optimum="0" value=(held)
                        aria-label="use of the client limit" {}
                    (held) " of " (limit)
                }
            }
            td.number.minor { (row.idle) }
            td.number { (row.waiting) }
            td.number.minor { (duration(row.held_longest)) }
            td.number.minor { (bytes(row.bytes_sent)) }
            td.number { (number(row.rejections)) }
            td.number.minor { (number(row.denials)) }
            td.number.minor { (number(row.wrong_passwords)) }
        }
    }
}

fn connections(snapshot: &Snapshot) -> Markup {
    html! {
        h2 { "Connections (" (snapshot.connections.len()) ")" }
        @if !snapshot.connections.is_empty() {
            div.wide { table.connections {
                caption { "Each connection, its phase, and what it is doing" }
                thead { tr {
                    th.number.minor scope="col" { "No." }
                    th scope="col" { "Client" }
                    th scope="col" { "Phase" }
                    th.number scope="col" { "For" }
                    th.number.minor scope="col" { "Open" }
                    th.number.minor scope="col" { "Requests" }
                    th.number.minor scope="col" { "Sent" }
                    th.doing scope="col" { "Doing" }
                } }
                tbody { "\n" @for row in snapshot.connections.iter().take(MAX_ROWS) { (connection(row)) "\n" } }
            } }
            (rest(snapshot.connections.len()))
        }
    }
}

fn connection(row: &ConnectionRow) -> Markup {
    html! {
        tr {
            td.number.minor { (row.id) }
            td.client { bdi { (row.client) } }
            td { (row.phase.name()) }
            td.number { (duration(row.in_phase)) }
            td.number.minor { (duration(row.open)) }
            td.number.minor { (number(row.requests)) }
            td.number.minor { (bytes(row.bytes_sent)) }
            td.doing {
                @if !row.doing.is_empty() {
                    bdi { (row.doing.chars().take(MAX_DOING).collect::<String>()) }
                }
            }
        }
    }
}

fn certificates(snapshot: &Snapshot) -> Markup {
    let certificates = &snapshot.certificates;
    html! {
        @if !certificates.is_empty() {
            h2 { "Certificates (" (certificates.len()) ")" }
            div.wide { table {
                caption { "Those that new connections get, the first one if no other is for the name that a client asks for" }
                thead { tr {
                    th scope="col" { "Names" }
                    th scope="col" { "State" }
                    th scope="col" { "Until" }
                    th.minor scope="col" { "File" }
                } }
                tbody { "\n" @for row in certificates.iter().take(MAX_ROWS) { (certificate(row)) "\n" } }
            } }
            (rest(certificates.len()))
        }
    }
}

fn certificate(row: &CertificateSummary) -> Markup {
    let end = row.validity.not_after;
    html! {
        tr {
            td { bdi { (row.title()) } }
            td.trouble[row.state != ValidityState::Valid] { (row.state.name()) }
            td {
                time datetime=(end.strftime("%Y-%m-%dT%H:%M:%SZ")) {
                    (end.strftime("%Y-%m-%d %H:%M UTC"))
                }
            }
            td.minor { bdi { (escape_text(&row.file.to_string_lossy())) } }
        }
    }
}

fn rest(rows: usize) -> Markup {
    html! {
        @if rows > MAX_ROWS { p.faint { "and " (rows - MAX_ROWS) " more, which the JSON lists" } }
    }
}

fn counters(counts: &Counts) -> Markup {
    let mut metrics: Vec<_> = counts.iter().collect();
    metrics.sort_by_key(|(metric, _)| metric.section);
    metrics.retain(|(metric, count)| metric.display != Display::NumberUnlessZero || *count > 0);
    html! {
        dl {
            @for (metric, count) in metrics {
                @if metric.section == Section::Trouble {
                    div.trouble[count > 0] { (counter(metric, count)) }
                } @else {
                    div { (counter(metric, count)) }
                }
            }
        }
    }
}

fn counter(metric: &Metric, count: u64) -> Markup {
    html! {
        dt { (metric.label) } " "
        dd { @if metric.display == Display::Bytes { (bytes(count)) } @else { (number(count)) } }
    }
}

fn number(number: u64) -> Markup {
    html! { data value=(number) { (grouped(number)) } }
}

fn bytes(bytes: u64) -> Markup {
    html! { data value=(bytes) title={ (bytes) " bytes" } { (size(bytes)) } }
}
