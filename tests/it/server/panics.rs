//! A panic in a connection's thread. No request is known to cause one, so the logger of this process does:
//! the server logs each request in its connection's thread.

use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::support::server::TestServer;
use crate::support::wait_until;

/// The logger panics if a request's line contains this; no other test requests it.
const MARK: &str = "/panic-in-the-logger";

static LOGGER: PanickingLogger = PanickingLogger { lines: Mutex::new(Vec::new()) };

/// Panics when a marked request is logged, and stores the other records about it.
struct PanickingLogger {
    lines: Mutex<Vec<String>>,
}

impl Log for PanickingLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "access" || metadata.level() == Level::Error
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = record.args().to_string();
        if line.contains(MARK) {
            assert!(record.level() == Level::Error, "a panic on purpose, in the logger");
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    fn flush(&self) {}
}

#[test]
fn a_panic_in_a_connection_is_logged_with_its_request_and_harms_no_other() {
    log::set_logger(&LOGGER).expect("no other test sets a logger");
    log::set_max_level(LevelFilter::Info);
    let server = TestServer::with_limits(2, 60);
    server.file("a.txt", "Hello");
    let mut other = server.connect();
    assert_eq!(other.get("/a.txt").text(), "Hello");
    for round in 1..=3 {
        let mut unlucky = server.connect();
        assert_eq!(unlucky.get(MARK).status, 404);
        unlucky.expect_end();
        assert_eq!(other.get("/a.txt").text(), "Hello", "it is served on");
        // A leaked slot would cause a rejection in the next round.
        server.wait_for_connections(1);
        wait_until("the event is counted", || server.counters().panics == round);
    }
    let expected = format!("127.0.0.1: a panic while answering GET {MARK}");
    assert_eq!(*LOGGER.lines.lock().unwrap(), vec![expected; 3]);
}
