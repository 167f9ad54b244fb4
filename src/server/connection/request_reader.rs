//! Reading the requests of one connection: each head within its deadline, and content past the end.
//!
//! While it waits for a request a connection holds one small buffer.

use std::io;
use std::time::{Duration, Instant};

use super::close_reason::CloseReason;
use super::transport::Transport;
use crate::http::{Framing, HeadScan, RequestError, RequestHead};
use crate::net::{Body, BodyError, Deadline, Input, is_disconnect, is_timeout};
use crate::server::limits::connection_entry::ConnectionEntry;
use crate::server::limits::lingering::pending_request::HEAD_TIMEOUT;
use crate::server::limits::phase::Phase;
use crate::server::service::Service;

/// The input buffer's free space for the first read: it holds a usual head. It is most of what an idle
/// connection holds beyond the stack of its thread, three KiB less than if it began with its capacity.
const FIRST_INPUT_BYTES: usize = 1024;

/// Capacity of the input buffer: it holds a head with long cookies, and fits into one page of memory.
const INPUT_BYTES: usize = 4 * 1024;

/// Most content of a request that is discarded to keep its connection.
pub(super) const MAX_DISCARDED_BYTES: u64 = 1024 * 1024;

/// Reads requests from one connection.
pub(super) struct RequestReader<'s> {
    service: &'s Service,
    entry: &'s ConnectionEntry,
    input: Input,
    /// The head that was read last.
    pub(super) head: RequestHead,
    /// When the first byte of the request was read, or, before that, when waiting for it began.
    pub(super) started_at: Instant,
    is_first: bool,
}

/// Why there is no request to answer.
pub(super) enum NoRequest {
    /// The connection is closed without a response.
    Close(CloseReason),
    /// The connection is closed after a response that refuses the request.
    Refuse(RequestError),
}

/// Whether the content of a request was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestContent {
    Read,
    LeftUnread,
}

/// The buffer for what a connection receives.
pub(super) fn new_input() -> Input {
    Input::starting_with(FIRST_INPUT_BYTES, INPUT_BYTES)
}

/// How long the first head of a connection may take, from when the connection was opened, with the handshake of TLS
/// that precedes it.
fn first_head_timeout(service: &Service, entry: &ConnectionEntry) -> Duration {
    let timeout = service.timeouts.head;
    if entry.reserved.is_some() { timeout.min(HEAD_TIMEOUT) } else { timeout }
}

/// When the first head of a connection must be complete.
pub(super) fn first_head_deadline(service: &Service, entry: &ConnectionEntry) -> Deadline {
    Deadline::at(entry.opened_at + first_head_timeout(service, entry))
}

impl<'s> RequestReader<'s> {
    /// `input` holds the bytes received after the PROXY header.
    pub(super) fn new(service: &'s Service, entry: &'s ConnectionEntry, input: Input) -> Self {
        Self {
            service,
            entry,
            input,
            head: RequestHead::default(),
            started_at: Instant::now(),
            is_first: true,
        }
    }

    /// Bytes that were received and not parsed.
    pub(super) fn unread(&self) -> &[u8] {
        self.input.data()
    }

    /// Waits for a head and reads it into [`Self::head`].
    pub(super) fn read_head(&mut self, transport: &mut Transport<'_>) -> Result<(), NoRequest> {
        self.head.clear();
        self.input.release();
        self.started_at = Instant::now();
        let mut scan = HeadScan::default();
        let mut has_started = false;
        loop {
            if !self.input.data().is_empty() {
                let taken = self.input.take_request_head(&mut scan, &mut self.head);
                if !has_started {
                    // The drain closes connections that look idle: this request had just been read.
                    if !self.entry.enter(Phase::Reading) && !self.service.is_draining() {
                        return Err(self.slot_taken());
                    }
                    self.started_at = Instant::now();
                    has_started = true;
                }
                if taken.map_err(NoRequest::Refuse)? {
                    self.is_first = false;
                    return Ok(());
                }
            }
            match self.fill(transport, has_started) {
                Ok(0) if has_started => {
                    return Err(NoRequest::Close(CloseReason::RequestCut));
                }
                Ok(0) if self.entry.phase() == Phase::Closing => return Err(self.slot_taken()),
                Ok(0) => return Err(NoRequest::Close(CloseReason::PeerClosed)),
                Ok(_) => {}
                Err(error) => {
                    return Err(self.read_error(&error, has_started && !scan.is_blank()));
                }
            }
        }
    }

    /// Reads more of a head. The first head's deadline counts from when the connection was opened, that of
    /// the others from their first byte. The first read comes right after the opening, unless a handshake came
    /// first: it waits for the whole timeout, which the socket has from the start.
    fn fill(&mut self, transport: &mut Transport<'_>, has_started: bool) -> io::Result<usize> {
        let timeouts = self.service.timeouts;
        let is_encrypted = transport.session.is_some();
        let timeout = if self.is_first && !has_started && !is_encrypted {
            first_head_timeout(self.service, self.entry)
        } else if self.is_first {
            first_head_deadline(self.service, self.entry).remaining()?
        } else if has_started {
            Deadline::at(self.started_at + timeouts.head).remaining()?
        } else {
            timeouts.idle
        };
        self.input.fill(&mut transport.within(timeout))
    }

    fn read_error(&self, error: &io::Error, has_started: bool) -> NoRequest {
        if !is_timeout(error) {
            if !is_disconnect(error) {
                log::debug!("{}: cannot read: {error}", self.entry.client.address);
            }
            return NoRequest::Close(CloseReason::PeerVanished);
        }
        // A connection of the reserve is rejected as if it had not been admitted.
        if self.entry.reserved.is_some() {
            return NoRequest::Refuse(RequestError::Timeout);
        }
        if has_started {
            self.service.counters.head_timeouts.increment();
            return NoRequest::Refuse(RequestError::Timeout);
        }
        NoRequest::Close(CloseReason::Idle)
    }

    /// The slot was given to another connection before a request began. A connection of the reserve is
    /// rejected as if it had not been admitted.
    fn slot_taken(&self) -> NoRequest {
        if self.entry.reserved.is_some() {
            NoRequest::Refuse(RequestError::Timeout)
        } else if self.service.is_draining() {
            NoRequest::Close(CloseReason::Stopping)
        } else {
            NoRequest::Close(CloseReason::Reclaimed)
        }
    }

    /// Reads and discards the content of a request, up to [`MAX_DISCARDED_BYTES`].
    pub(super) fn discard_content(
        &mut self,
        framing: Framing,
        transport: &mut Transport<'_>,
    ) -> Result<RequestContent, NoRequest> {
        let mut body = Body::of_request(framing);
        let mut discarded = 0;
        let mut stream = transport.until(Deadline::after(self.service.timeouts.head));
        loop {
            match body.next_piece(&mut self.input, &mut stream) {
                Ok(None) => return Ok(RequestContent::Read),
                Ok(Some(piece)) => discarded += piece.len() as u64,
                Err(BodyError::Chunked(error)) => {
                    return Err(NoRequest::Refuse(RequestError::Chunked(error)));
                }
                Err(BodyError::Io(error)) if is_timeout(&error) => {
                    return Err(NoRequest::Refuse(RequestError::Timeout));
                }
                Err(BodyError::Truncated { .. }) => {
                    return Err(NoRequest::Close(CloseReason::RequestCut));
                }
                Err(BodyError::Io(_)) => return Err(NoRequest::Close(CloseReason::PeerVanished)),
            }
            if discarded > MAX_DISCARDED_BYTES {
                return Ok(RequestContent::LeftUnread);
            }
        }
    }
}
