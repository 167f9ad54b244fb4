//! One line for each request that was answered.
//!
//! Owns what a line tells and where it goes; how it is written is `format`'s, and that nobody waits
//! for the log is the sink's. Connections that are turned away before they sent a request have no
//! line here.

mod format;
mod time;

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::log_sink::LogHandle;
use crate::http::{RequestHead, Status};
use crate::printable::Escaped;

pub use format::LogFormat;

/// Most bytes that are shown of a request without a readable head; one that has more ends with dots.
const MAX_SHOWN_BYTES: usize = 256;

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

/// One request and what it was answered with.
#[derive(Debug)]
pub(super) struct Exchange<'h> {
    pub(super) client: IpAddr,
    /// Empty where none could be read.
    pub(super) head: &'h RequestHead,
    /// What has come and was not used: where there is no head, the beginning of what was to be one.
    pub(super) unread: &'h [u8],
    pub(super) status: Status,
    /// Bytes of content sent; `None` for a response that could not be sent whole.
    pub(super) content_bytes: Option<u64>,
    /// From the first byte of the request to the last of the response.
    pub(super) taken: Duration,
    /// Which request of its connection this is, from 1.
    pub(super) ordinal: u64,
}

impl AccessLog {
    /// Adds the line of an exchange that has just ended. What the client wrote is escaped.
    pub(super) fn record(&self, exchange: &Exchange<'_>) {
        match self {
            Self::Off => {}
            Self::Log => exchange.log(),
            Self::Sink { handle, format } => with_line(|line| {
                format.write(exchange, SystemTime::now(), line);
                handle.append(line);
            }),
        }
    }
}

impl Exchange<'_> {
    /// Of a request without a readable head the beginning of its first line, escaped; empty where nothing
    /// of it has come.
    fn unreadable(&self) -> Option<String> {
        if !self.head.method_token().is_empty() {
            return None;
        }
        // Empty lines before a request are skipped (RFC 9112 §2.2).
        let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
        let begin = self.unread.iter().position(is_text).unwrap_or(self.unread.len());
        let rest = &self.unread[begin..];
        let line = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]),
            None => rest,
        };
        let shown = &line[..line.len().min(MAX_SHOWN_BYTES)];
        let dots = if shown.len() < line.len() { "..." } else { "" };
        Some(format!("{}{dots}", Escaped(shown)))
    }

    fn log(&self) {
        log::info!(
            target: "access",
            "{} \"{}\" {} {} {:.1} ms",
            self.client,
            self.unreadable().unwrap_or_else(|| {
                format!("{} {}", Escaped(self.head.method_token()), Escaped(self.head.target()))
            }),
            self.status.code(),
            self.content_bytes.map_or_else(|| "incomplete".to_owned(), |bytes| bytes.to_string()),
            self.taken.as_secs_f64() * 1000.0,
        );
    }
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
