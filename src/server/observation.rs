//! The look at a running server that its status page shows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::answer::refuse;
use super::identity::Client;
use super::registry::{Live, Phase};
use super::response::{Content, Response};
use super::service::Service;
use super::snapshot::{ClientRow, ConnectionRow, Counters, Snapshot};
use super::status_page::StatusForm;
use super::tally::Count;
use crate::http::{Method, RequestHead, Status};

impl Service {
    /// The status page, if that is what the request asks for and its sender may see it. None of its
    /// answers has the operator's fields, which may lend them to scripts of other origins.
    pub(super) fn answer_status(&self, head: &RequestHead, client: &Client) -> Option<Response> {
        let access = self.status.as_ref()?;
        let query = access.query(head.target())?;
        if !matches!(head.method(), Method::Get | Method::Head) || !access.allows(client) {
            return None;
        }
        if !access.is_shown_under_host_of(head) {
            let reason = "the status is not shown under this name of the host: ask for it by \
                localhost or an IP address, or start the server with --status-host NAME";
            return Some(refuse(head, Status::NOT_FOUND, reason));
        }
        let Some(form) = StatusForm::choose(Some(query), &head.fields()) else {
            let text = b"400 Bad Request: the format is html, json or prometheus\n".to_vec();
            let response = Response::new(Status::BAD_REQUEST, Content::Text(text));
            return Some(response.field("Content-Type", "text/plain; charset=utf-8"));
        };
        let text = form.render(&self.snapshot());
        Some(
            Response::new(Status::OK, Content::Text(text.into_bytes()))
                .field("Content-Type", form.content_type())
                .field("Cache-Control", "no-store")
                .field("Vary", "Accept")
                .field("X-Content-Type-Options", "nosniff"),
        )
    }

    /// The server at this moment.
    pub(super) fn snapshot(&self) -> Snapshot {
        let limits = self.admission.limits();
        let mut live = self.registry.all();
        live.sort_by_key(|live| live.since);
        let (threads, parked) = self.threads();
        Snapshot {
            started: self.started,
            uptime: self.since.elapsed(),
            limits,
            held: self.admission.held().0,
            crowded_from: self.crowded_from(),
            clients: self.client_rows(&live),
            connections: live.iter().filter_map(|live| connection_row(live)).collect(),
            counters: self.counters(),
            threads,
            parked,
            lingering: self.lingering.count(),
        }
    }

    /// A row for each client that holds a connection or was rejected lately; those with most first.
    fn client_rows(&self, live: &[Arc<Live>]) -> Vec<ClientRow> {
        let rejected = self.rejections.clients();
        let mut rows = Vec::with_capacity(live.len() + rejected.len());
        let mut places = HashMap::new();
        for client in live.iter().map(|live| live.client.key).chain(rejected) {
            places.entry(client).or_insert_with(|| {
                rows.push(self.empty_row(client));
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

    fn empty_row(&self, client: IpAddr) -> ClientRow {
        ClientRow {
            client: self.identification.name(client),
            active: 0,
            idle: 0,
            held_longest: std::time::Duration::ZERO,
            bytes_sent: 0,
            rejections: self.rejections.count(client),
            exempt: false,
        }
    }

    fn counters(&self) -> Counters {
        let tally = &self.tally;
        Counters {
            connections: tally.connections.get(),
            requests: tally.requests.get(),
            responses_by_class: tally.responses.each_ref().map(Count::get),
            bytes_sent: tally.bytes_sent.get(),
            rejected_per_client: tally.rejected_per_client.get(),
            rejected_total: tally.rejected_total.get(),
            would_reject: tally.would_reject.get(),
            reclaimed: tally.reclaimed.get(),
            accept_errors: tally.accept_errors.get(),
            spawn_failures: tally.spawn_failures.get(),
            panics: tally.panics.get(),
            head_timeouts: tally.head_timeouts.get(),
            slow_drops: tally.slow_drops.get(),
            log_lines_dropped: self.logs.iter().map(super::LogHandle::dropped).sum(),
        }
    }
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
