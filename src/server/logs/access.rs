//! The access log: one line for each response to a request.
//!
//! Owns where a line goes; its form is left to `format`, and writing it without blocking to `sink`.
//! Connections that are rejected before a request have no line.

use std::cell::RefCell;
use std::time::SystemTime;

use super::exchange::Exchange;
use super::format::LogFormat;
use super::sink::LogHandle;
use crate::printable::Escaped;

/// Capacity that a thread's line buffer keeps.
const MAX_KEPT_BYTES: usize = 4 * 1024;

/// Where the access log goes.
#[derive(Clone, Debug, Default)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// To the `log` crate, at level `info`, with the target `access`. The default.
    #[default]
    Log,
    /// To a log of its own.
    Sink { handle: LogHandle, format: LogFormat },
}

impl AccessLog {
    /// Appends the line of an exchange that has just ended. The client's bytes are escaped.
    pub(in crate::server) fn record(&self, exchange: &Exchange<'_>) {
        match self {
            Self::Off => {}
            Self::Log => log(exchange),
            Self::Sink { handle, format } => with_line(|line| {
                format.write(exchange, SystemTime::now(), line);
                handle.append(line);
            }),
        }
    }
}

fn log(exchange: &Exchange<'_>) {
    log::info!(
        target: "access",
        "{} \"{}\" {} {} {:.1} ms",
        exchange.client,
        exchange.unreadable().unwrap_or_else(|| {
            let head = exchange.head;
            format!("{} {}", Escaped(head.method_token()), Escaped(head.target()))
        }),
        exchange.status.code(),
        exchange.content_bytes.map_or_else(|| "incomplete".to_owned(), |bytes| bytes.to_string()),
        exchange.taken.as_secs_f64() * 1000.0,
    );
}

/// Calls `use_line` with this thread's line buffer, empty.
fn with_line(use_line: impl FnOnce(&mut Vec<u8>)) {
    thread_local! {
        static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    LINE.with_borrow_mut(|line| {
        line.clear();
        use_line(line);
        if line.capacity() > MAX_KEPT_BYTES {
            *line = Vec::new();
        }
    });
}
