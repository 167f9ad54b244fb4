//! The counters of the server and the one table that describes them.
//!
//! A new counter is a row of `counters!` and an `increment()` where it happens: the status page, its
//! JSON and the Prometheus text list the table. A new gauge is a field of [`Snapshot`] and a line in each
//! form. Names in JSON and Prometheus are an interface: rows are added, none is renamed.
//!
//! [`Snapshot`]: super::snapshot::Snapshot

use std::sync::atomic::{AtomicU64, Ordering};

use crate::http::Status;
use crate::server::limits::rejection::Scope;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How a counter is called and shown.
#[derive(Debug)]
pub(super) struct Metric {
    /// Groups the counters on the status page.
    pub(super) section: Section,
    pub(super) display: Display,
    /// The label on the status page.
    pub(super) label: &'static str,
    /// The name in JSON; a dot leads into a nested object.
    pub(super) json: &'static str,
    /// The time series of Prometheus, with its labels and without the prefix. Rows of one family follow
    /// each other and share their help.
    pub(super) series: &'static str,
    pub(super) help: &'static str,
}

/// The parts of the status page's list of counters, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Traffic,
    Responses,
    Limits,
    /// Problems that an operator should look into; highlighted unless zero.
    Trouble,
}

/// How the status page shows a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Display {
    Number,
    NumberUnlessZero,
    Bytes,
}

/// Makes [`Counters`], [`Counts`] and [`METRICS`] from one table.
macro_rules! counters {
    ($(
        $field:ident: $section:ident, $display:ident, $label:literal,
            $json:literal, $series:literal, $help:literal;
    )*) => {
        /// The counters of a running server, from its start.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(#[doc = $help] pub(crate) $field: Counter,)*
        }

        /// The values of the counters at one moment. They count from the start of the server.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $(#[doc = $help] pub $field: u64,)*
        }

        impl Counters {
            pub(super) fn read(&self) -> Counts {
                Counts { $($field: self.$field.get(),)* }
            }
        }

        impl Counts {
            /// Each metric with its value, in the order of the table.
            pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Metric, u64)> {
                METRICS.iter().zip([$(self.$field,)*])
            }
        }

        const METRICS: &[Metric] = &[$(
            Metric {
                section: Section::$section,
                display: Display::$display,
                label: $label,
                json: $json,
                series: $series,
                help: $help,
            },
        )*];
    };
}

counters! {
    connections: Traffic, Number, "Connections",
        "connections", "accepted_connections_total",
        "Connections accepted, also those that were rejected then.";
    requests: Traffic, Number, "Requests",
        "requests", "requests_total", "Requests.";
    responses_1xx: Responses, NumberUnlessZero, "Responses 1xx",
        "responses.1xx", r#"responses_total{class="1xx"}"#,
        "Responses to requests, by class of status.";
    responses_2xx: Responses, Number, "Responses 2xx",
        "responses.2xx", r#"responses_total{class="2xx"}"#,
        "Responses to requests, by class of status.";
    responses_3xx: Responses, Number, "Responses 3xx",
        "responses.3xx", r#"responses_total{class="3xx"}"#,
        "Responses to requests, by class of status.";
    responses_4xx: Responses, Number, "Responses 4xx",
        "responses.4xx", r#"responses_total{class="4xx"}"#,
        "Responses to requests, by class of status.";
    responses_5xx: Responses, Number, "Responses 5xx",
        "responses.5xx", r#"responses_total{class="5xx"}"#,
        "Responses to requests, by class of status.";
    bytes_sent: Traffic, Bytes, "Bytes sent",
        "bytes_sent", "sent_bytes_total", "Bytes of content sent.";
    rejected_per_client: Limits, Number, "Rejected, client's limit",
        "rejected.client", r#"rejected_connections_total{scope="client"}"#,
        "Connections rejected, by the limit used up.";
    rejected_total: Limits, Number, "Rejected, total",
        "rejected.total", r#"rejected_connections_total{scope="total"}"#,
        "Connections rejected, by the limit used up.";
    denied: Limits, NumberUnlessZero, "Denied addresses",
        "denied", "denied_connections_total",
        "Connections denied for their addresses.";
    wrong_passwords: Limits, NumberUnlessZero, "Wrong passwords",
        "wrong_passwords", "wrong_passwords_total",
        "Requests with a wrong password.";
    unverified_passwords: Limits, NumberUnlessZero, "Passwords not verified",
        "unverified_passwords", "unverified_passwords_total",
        "Requests with a password that was not verified, as too many others were.";
    would_reject: Limits, NumberUnlessZero, "Would be rejected",
        "would_reject", "would_reject_connections_total",
        "Connections let in only because limits are tried out and not enforced.";
    reclaimed: Limits, Number, "Idle ones closed for room",
        "reclaimed", "reclaimed_connections_total",
        "Idle connections closed to hand their slots on.";
    waited_served: Limits, NumberUnlessZero, "Waited, then served",
        "waited.served", r#"waited_connections_total{result="served"}"#,
        "Connections that waited for a slot, by what became of them.";
    waited_rejected: Limits, NumberUnlessZero, "Waited in vain",
        "waited.rejected", r#"waited_connections_total{result="rejected"}"#,
        "Connections that waited for a slot, by what became of them.";
    accept_errors: Trouble, Number, "Failed accepts",
        "accept_errors", "accept_errors_total", "Connections that could not be accepted.";
    spawn_failures: Trouble, Number, "Failed threads",
        "spawn_failures", "spawn_failures_total", "Connections for which there was no thread.";
    panics: Trouble, Number, "Panics",
        "panics", "panics_total", "Threads of connections that panicked.";
    head_timeouts: Limits, Number, "Late heads",
        "head_timeouts", "head_timeouts_total",
        "Requests whose heads were begun and not completed in time.";
    handshake_failures: Limits, NumberUnlessZero, "Failed handshakes",
        "handshake_failures", "handshake_failures_total",
        "Connections closed because their TLS handshakes failed or were late.";
    slow_drops: Limits, Number, "Too slow",
        "slow_drops", "slow_connections_dropped_total",
        "Connections closed because their peers took too little for too long.";
    log_lines_dropped: Trouble, Number, "Lost log lines",
        "log_lines_dropped", "log_lines_dropped_total", "Lines of logs that were lost.";
}

impl Counters {
    /// Counts a response and the bytes of content that were sent of it.
    pub(crate) fn add_response(&self, status: Status, content_bytes: u64) {
        match status.code() / 100 {
            1 => &self.responses_1xx,
            2 => &self.responses_2xx,
            3 => &self.responses_3xx,
            4 => &self.responses_4xx,
            _ => &self.responses_5xx,
        }
        .increment();
        self.bytes_sent.add(content_bytes);
    }

    /// Counts a rejected connection by the limit that has been reached.
    pub(crate) fn add_rejection(&self, scope: Scope) {
        match scope {
            Scope::Client => self.rejected_per_client.increment(),
            Scope::Total => self.rejected_total.increment(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_counted_by_the_class_of_their_status() {
        let counters = Counters::default();
        for (status, times) in [
            (Status::OK, 2),
            (Status::NOT_MODIFIED, 3),
            (Status::NOT_FOUND, 4),
            (Status::SERVICE_UNAVAILABLE, 5),
        ] {
            for _ in 0..times {
                counters.add_response(status, 10);
            }
        }
        let expected = Counts {
            responses_2xx: 2,
            responses_3xx: 3,
            responses_4xx: 4,
            responses_5xx: 5,
            bytes_sent: 140,
            ..Counts::default()
        };
        assert_eq!(counters.read(), expected);
    }

    #[test]
    fn rejections_are_counted_by_the_limit() {
        let counters = Counters::default();
        for scope in [Scope::Client, Scope::Total, Scope::Total] {
            counters.add_rejection(scope);
        }
        let expected = Counts { rejected_per_client: 1, rejected_total: 2, ..Counts::default() };
        assert_eq!(counters.read(), expected);
    }
}
