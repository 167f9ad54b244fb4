//! The rows, in the order in which they are measured.

use super::row::{Row, Target, at_least, at_most, limit};
use super::servers::{Start, apache, lighttpd, nginx, python, static_web_server};
use super::throughput::{self, CPU, CPU_PER_MEBIBYTE, MEBIBYTES, REQUESTS};
use super::{clients, flood, idle, latency, start, tls, wrk};

/// All of them keep connections; Python's server is in one row alone.
const PEERS: &[Start] = &[
    nginx::start,
    nginx::start_with_file_cache,
    lighttpd::start,
    apache::start,
    static_web_server::start,
];

const SMALL_DOWNLOADS: &[Target] = &[
    at_most(0.9, clients::WALL, clients::CURL.name),
    at_most(1.0, clients::CPU, clients::CURL.name),
    at_most(1.0, clients::PEAK, clients::CURL.name),
];

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "kept-14b",
        title: "a file of 14 bytes, 32 kept connections",
        needs: &[&wrk::PROGRAM],
        targets: &[
            at_least(1.15, REQUESTS, nginx::NAME),
            at_least(1.0, REQUESTS, nginx::NAME_WITH_FILE_CACHE),
            at_least(0.9, REQUESTS, lighttpd::NAME),
            at_least(2.5, REQUESTS, apache::NAME),
            at_least(40.0, REQUESTS, python::NAME),
            at_most(0.85, CPU, nginx::NAME),
        ],
        measure: |setting| {
            throughput::kept(setting, "14b.txt", &[PEERS, &[python::start]].concat())
        },
    },
    Row {
        id: "kept-16k",
        title: "a file of 16 KiB, 32 kept connections",
        needs: &[&wrk::PROGRAM],
        targets: &[at_least(1.15, REQUESTS, nginx::NAME), at_least(2.5, REQUESTS, apache::NAME)],
        measure: |setting| throughput::kept(setting, "16k.txt", PEERS),
    },
    Row {
        id: "kept-100k",
        title: "a file of 100 KiB, 32 kept connections",
        needs: &[&wrk::PROGRAM],
        targets: &[at_least(1.05, REQUESTS, nginx::NAME)],
        measure: |setting| throughput::kept(setting, "100k.txt", PEERS),
    },
    Row {
        id: "kept-10m",
        title: "a file of 10 MiB, 4 kept connections",
        needs: &[&wrk::PROGRAM],
        targets: &[
            at_least(1.1, MEBIBYTES, nginx::NAME),
            at_most(0.6, CPU_PER_MEBIBYTE, nginx::NAME),
        ],
        measure: |setting| throughput::large(setting, PEERS),
    },
    Row {
        id: "closed-14b",
        title: "a file of 14 bytes, a connection for each request, 32 at a time",
        needs: &[&wrk::PROGRAM],
        targets: &[
            at_least(1.0, REQUESTS, nginx::NAME),
            at_most(1.2, CPU, nginx::NAME),
            at_least(1.4, REQUESTS, apache::NAME),
        ],
        measure: |setting| throughput::closed(setting, "14b.txt", PEERS),
    },
    Row {
        id: "many-4k",
        title: "1,000 files of 4 KiB in turn, 32 kept connections",
        needs: &[&wrk::PROGRAM],
        targets: &[at_least(1.05, REQUESTS, nginx::NAME)],
        measure: |setting| throughput::many(setting, PEERS),
    },
    Row {
        id: "access-log",
        title: "a file of 14 bytes, 32 kept connections, an access log to a file",
        needs: &[&wrk::PROGRAM],
        targets: &[at_least(1.0, REQUESTS, nginx::NAME)],
        measure: throughput::with_access_log,
    },
    Row {
        id: "flood",
        title: "one address at its limit asks on, a connection for each request",
        needs: &[],
        targets: &[
            at_least(1.0, flood::REJECTIONS, nginx::NAME),
            at_most(0.9, flood::CPU, nginx::NAME),
            at_least(0.9, flood::ADMITTED, nginx::NAME),
            limit(0.0, flood::BROKEN),
        ],
        measure: flood::measure,
    },
    Row {
        id: "idle",
        title: "8,000 idle kept connections",
        needs: &[],
        targets: &[
            limit(12.0, idle::MEMORY),
            limit(0.0, idle::UNANSWERED),
            limit(2.0, idle::SLOWER),
        ],
        measure: idle::measure,
    },
    Row {
        id: "latency",
        title: "latency of 14 bytes at 60 % of the greatest load, 32 kept connections",
        needs: &[&wrk::PROGRAM],
        targets: &[at_most(1.0, latency::P99, nginx::NAME)],
        measure: latency::measure,
    },
    Row {
        id: "start",
        title: "ready to serve after the start",
        needs: &[],
        targets: &[limit(10.0, start::READY)],
        measure: start::measure,
    },
    Row {
        id: "tls-kept-14b",
        title: "TLS: a file of 14 bytes, 32 kept connections",
        needs: &[&wrk::PROGRAM],
        targets: &[at_least(0.9, REQUESTS, nginx::NAME), at_most(1.1, CPU, nginx::NAME)],
        measure: tls::kept,
    },
    Row {
        id: "tls-kept-10m",
        title: "TLS: a file of 10 MiB, 4 kept connections",
        needs: &[&wrk::PROGRAM],
        targets: &[
            at_least(0.9, MEBIBYTES, nginx::NAME),
            at_most(1.1, CPU_PER_MEBIBYTE, nginx::NAME),
        ],
        measure: tls::large,
    },
    Row {
        id: "tls-handshakes",
        title: "TLS: a connection for each request, 2 at a time",
        needs: &[],
        targets: &[at_least(0.9, tls::FULL, nginx::NAME), at_least(0.9, tls::RESUMED, nginx::NAME)],
        measure: tls::handshakes,
    },
    Row {
        id: "tls-idle",
        title: "TLS: 2,000 idle kept connections",
        needs: &[],
        targets: &[limit(40.0, tls::MEMORY)],
        measure: tls::idle,
    },
    Row {
        id: "client-tmpfs-new",
        title: "client: 1,000 files of 4 KiB, 10 connections, to a tmpfs",
        needs: &[&nginx::PROGRAM],
        targets: SMALL_DOWNLOADS,
        measure: clients::new_on_tmpfs,
    },
    Row {
        id: "client-tmpfs-replaced",
        title: "client: 1,000 files of 4 KiB, 10 connections, in place of older ones on a tmpfs",
        needs: &[&nginx::PROGRAM],
        targets: SMALL_DOWNLOADS,
        measure: clients::replaced_on_tmpfs,
    },
    Row {
        id: "client-ext4-new",
        title: "client: 1,000 files of 4 KiB, 10 connections, to an ext4 with a journal",
        needs: &[&nginx::PROGRAM],
        targets: SMALL_DOWNLOADS,
        measure: clients::new_on_ext4,
    },
    Row {
        id: "client-ext4-replaced",
        title: "client: 1,000 files of 4 KiB, 10 connections, in place of older ones on an ext4 with a journal",
        needs: &[&nginx::PROGRAM],
        targets: SMALL_DOWNLOADS,
        measure: clients::replaced_on_ext4,
    },
    Row {
        id: "client-growth",
        title: "client: 10,000 and 100,000 files of 14 bytes, 32 connections, to a tmpfs",
        needs: &[&nginx::PROGRAM],
        // In proportion, but for the noise of the shorter runs.
        targets: &[limit(1.1, clients::GROWTH), limit(1.0, clients::PER_URL)],
        measure: clients::growth,
    },
    Row {
        id: "client-large",
        title: "client: 10 files of 100 MiB, 4 connections, to a tmpfs",
        needs: &[&nginx::PROGRAM],
        targets: &[
            at_least(1.0, clients::RATE, clients::CURL.name),
            at_most(1.0, clients::CPU, clients::CURL.name),
        ],
        measure: clients::large,
    },
];
