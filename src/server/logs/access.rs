//! One line for each request that was answered.
//!
//! Owns what a line tells and where it goes; how it is written is `format`'s, and that nobody waits
//! for the log is the sink's. Connections that are turned away before they sent a request have no
//! line here.

use std::cell::RefCell;
use std::time::SystemTime;

use super::exchange::Exchange;
use super::format::LogFormat;
use super::sink::LogHandle;
use crate::printable::Escaped;

/// A thread's buffer for a line larger than this is given back.
const KEPT_LINE_BYTES: usize = 4 * 1024;

/// Where the lines of requests go.
#[derive(Clone, Debug, Default)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// To `log`, at `info`, with the target `access`.
    #[default]
    Log,
    /// To a log of their own.
    Sink { handle: LogHandle, format: LogFormat },
}

impl AccessLog {
    /// Adds the line of an exchange that has just ended. What the client wrote is escaped.
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

/// Lends this thread's buffer, empty.
fn with_line(use_line: impl FnOnce(&mut Vec<u8>)) {
    thread_local! {
        static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    LINE.with_borrow_mut(|line| {
        line.clear();
        use_line(line);
        if line.capacity() > KEPT_LINE_BYTES {
            *line = Vec::new();
        }
    });
}
