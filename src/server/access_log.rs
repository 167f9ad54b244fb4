//! One line for each request that was answered.

use std::net::IpAddr;
use std::time::Duration;

use crate::http::{RequestHead, Status};

/// One request and what it was answered with.
#[derive(Debug)]
pub(super) struct Exchange<'h> {
    pub(super) client: IpAddr,
    pub(super) head: &'h RequestHead,
    pub(super) status: Status,
    /// Bytes of content sent; `None` for a response that could not be sent whole.
    pub(super) content_bytes: Option<u64>,
    /// From the first byte of the request to the last of the response.
    pub(super) taken: Duration,
}

impl Exchange<'_> {
    /// Logs the exchange at `info`. What the client wrote is escaped.
    pub(super) fn log(&self) {
        log::info!(
            target: "access",
            "{} \"{} {}\" {} {} {:.1} ms",
            self.client,
            self.head.method_token().escape_ascii(),
            self.head.target().escape_ascii(),
            self.status.code(),
            self.content_bytes.map_or_else(|| "incomplete".to_owned(), |bytes| bytes.to_string()),
            self.taken.as_secs_f64() * 1000.0,
        );
    }
}
