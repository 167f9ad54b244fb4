//! A state of the server, for the tests of its forms.

use std::time::{Duration, UNIX_EPOCH};

use crate::server::limits::admission::Limits;
use crate::server::limits::connection_rates::MaximumRates;
use crate::server::limits::phase::Phase;
use crate::server::status::counters::Counts;
use crate::server::status::snapshot::{ClientRow, ConnectionRow, Snapshot};
use crate::server::tls::certificates::CertificateSummary;
use crate::server::tls::validity::{Validity, ValidityState};

/// A snapshot in which all numbers differ.
pub(super) fn snapshot() -> Snapshot {
    Snapshot {
        started_at: UNIX_EPOCH + Duration::from_millis(971_186_136_042),
        uptime: Duration::from_millis(11_520_250),
        limits: Limits { per_client: 112, total: 160 },
        rates: MaximumRates { connection: None, client: Some(1 << 20), total: Some(3 << 20) },
        held: 131,
        holders: 2,
        keep_alive_threshold: 148,
        clients: vec![
            ClientRow {
                client: "192.0.2.1".to_owned(),
                active: 105,
                idle: 102,
                waiting: 4_001,
                held_longest: Duration::from_secs(3_661),
                bytes_sent: 2_000_001,
                rejections: 2_002,
                denials: 2_004,
                wrong_passwords: 2_006,
                exempt: false,
            },
            ClientRow {
                client: "2001:db8::/64".to_owned(),
                active: 0,
                idle: 0,
                waiting: 4_002,
                held_longest: Duration::ZERO,
                bytes_sent: 0,
                rejections: 2_003,
                denials: 2_005,
                wrong_passwords: 2_007,
                exempt: true,
            },
        ],
        connections: vec![
            connection(Phase::Sending, "GET /<script>\"&"),
            connection(Phase::Idle, ""),
            connection(Phase::Idle, ""),
        ],
        counters: Counts {
            connections: 1_001,
            requests: 1_002,
            responses_1xx: 1_003,
            responses_2xx: 1_004,
            responses_3xx: 1_005,
            responses_4xx: 1_006,
            responses_5xx: 1_007,
            bytes_sent: 1_048_576_008,
            rejected_per_client: 1_009,
            rejected_total: 1_010,
            would_reject: 1_011,
            reclaimed: 1_012,
            accept_errors: 1_013,
            spawn_failures: 1_014,
            panics: 1_015,
            head_timeouts: 1_016,
            slow_drops: 1_017,
            log_lines_dropped: 1_018,
            waited_served: 1_019,
            waited_rejected: 1_020,
            denied: 1_021,
            wrong_passwords: 1_022,
            unverified_passwords: 1_023,
            handshake_failures: 1_024,
        },
        waiting: 113,
        threads: 140,
        parked: 109,
        lingering: 104,
        is_stopping: false,
        certificates: vec![
            certificate("/tls/a.pem", &["a.example", "192.0.2.1"], ValidityState::Valid),
            certificate("/tls/\"b\".pem", &[], ValidityState::Valid),
        ],
    }
}

pub(super) fn certificate(file: &str, names: &[&str], state: ValidityState) -> CertificateSummary {
    let [not_before, not_after] = ["2026-09-01T00:00:00Z", "2026-11-30T23:59:59Z"];
    let [not_before, not_after] = [not_before, not_after].map(|time| time.parse().unwrap());
    CertificateSummary {
        file: file.into(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        validity: Validity { not_before, not_after },
        state,
    }
}

pub(super) fn connection(phase: Phase, doing: &str) -> ConnectionRow {
    ConnectionRow {
        client: "192.0.2.1".to_owned(),
        id: 3_001,
        phase,
        in_phase: Duration::from_millis(3_200),
        open: Duration::from_secs(3_661),
        requests: 3_002,
        bytes_sent: 3_003,
        doing: doing.to_owned(),
    }
}
