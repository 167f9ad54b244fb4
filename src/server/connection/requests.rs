//! The life of one connection: request after request, until it closes.
//!
//! ```text
//! wait for a head ─▶ read its content past ─▶ answer ─▶ log ─▶ keep? ─▶ wait …
//!        └─ refused: answer, close                              └─ close
//! ```
//!
//! While it waits for a request a connection holds no more than one small buffer.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::close_reason::{CloseReason, Objections, is_untrustworthy};
use super::rate::Pace;
use super::response;
use super::response::Part;
use super::send::Outgoing;
use crate::http::{
    Framing, HeadScan, Method, Persistence, RequestError, RequestHead, RequestScan,
    asks_to_persist, expects_continue, request_framing,
};
use crate::net::proxy_protocol::{self, Parse};
use crate::net::{Body, BodyError, Deadline, Input, ReadTimeout, is_disconnect, is_timeout};
use crate::printable::Escaped;
use crate::server::handler::answer::check_host;
use crate::server::handler::response::Response;
use crate::server::limits::client::Client;
use crate::server::limits::connection_entry::ConnectionEntry;
use crate::server::limits::lingering::pending_request::HEAD_TIMEOUT;
use crate::server::limits::phase::Phase;
use crate::server::limits::rejection::Rejection;
use crate::server::logs::exchange::Exchange;
use crate::server::service::Service;

/// Room for each read: a browser's head fits, and a page of memory holds it.
pub(super) const INPUT_BYTES: usize = 4 * 1024;

/// A buffer for outgoing bytes larger than this is given back after a response.
const KEPT_OUTPUT_BYTES: usize = 4 * 1024;

/// Most content of a request that is read past to keep its connection.
const MAX_DISCARDED_BYTES: u64 = 1024 * 1024;

/// One connection while it is served.
pub(super) struct Connection<'s> {
    service: &'s Service,
    entry: &'s ConnectionEntry,
    stream: &'s TcpStream,
    client: Client,
    read_timeout: ReadTimeout,
    pace: Pace,
    requests: u64,
    /// Nothing but the status may be seen over it.
    reserved: Option<Rejection>,
    input: Input,
    head: RequestHead,
    out: Vec<u8>,
}

/// Why there is no request to answer.
enum NoRequest {
    /// The connection ends without another word.
    Close(CloseReason),
    /// It ends with an answer.
    Refuse(RequestError),
}

impl<'s> Connection<'s> {
    /// `input` may hold what came before, with a proxy's header.
    pub(super) fn new(
        service: &'s Service,
        entry: &'s ConnectionEntry,
        input: Input,
        reserved: Option<Rejection>,
    ) -> Self {
        Self {
            service,
            entry,
            stream: &entry.stream,
            client: entry.client,
            read_timeout: ReadTimeout::default(),
            pace: Pace::new(service.rates, service.timeouts.stall),
            requests: 0,
            reserved,
            input,
            head: RequestHead::default(),
            out: Vec::new(),
        }
    }

    /// Serves requests until the connection is to be closed, and says why it is.
    pub(super) fn serve(&mut self) -> CloseReason {
        let prepared = self
            .stream
            .set_nodelay(true)
            .and_then(|()| self.stream.set_write_timeout(Some(self.pace.write_timeout())));
        if let Err(error) = prepared {
            log::debug!("{}: cannot prepare the socket: {error}", self.client.address);
            return CloseReason::PeerVanished;
        }
        loop {
            let ended = match self.receive() {
                Ok(begun) => self.exchange(begun),
                Err(NoRequest::Close(reason)) => Some(reason),
                Err(NoRequest::Refuse(error)) => self.refuse(error),
            };
            if let Some(reason) = ended {
                return reason;
            }
            // Whoever stops the server closes those that are idle: this one has just become so.
            if !self.entry.enter(Phase::Idle) || self.service.is_stopping() {
                return CloseReason::Stopping;
            }
        }
    }

    /// The peer may have sent what was not read: closing at once would take its answer away.
    pub(super) fn may_have_unread_input(&self, reason: CloseReason) -> bool {
        reason.leaves_input_unread() || !self.input.data().is_empty()
    }

    /// Waits for a head to begin and then until it is complete; says when it began. The first must be
    /// complete in its time from when the connection was opened: whoever says nothing for long has
    /// as much less for the rest.
    fn receive(&mut self) -> Result<Instant, NoRequest> {
        self.head.clear();
        self.input.release();
        let is_first = self.requests == 0;
        let patience = self.service.timeouts;
        let first_head = match self.reserved {
            Some(_) => patience.head.min(HEAD_TIMEOUT),
            None => patience.head,
        };
        let mut scan = HeadScan::default();
        let mut begun = None;
        loop {
            if !self.input.data().is_empty() {
                let taken = self.input.take_request_head(&mut scan, &mut self.head);
                if begun.is_none() && !self.entry.enter(Phase::Reading) {
                    return Err(self.without_slot());
                }
                let begun = *begun.get_or_insert_with(Instant::now);
                if taken.map_err(NoRequest::Refuse)? {
                    return Ok(begun);
                }
            }
            let timeout = match begun {
                _ if is_first => Deadline::at(self.entry.opened + first_head).remaining(),
                Some(begun) => Deadline::at(begun + patience.head).remaining(),
                None => Ok(patience.idle),
            };
            let filled = timeout.and_then(|timeout| {
                self.read_timeout.set(self.stream, timeout)?;
                self.input.fill(&mut &*self.stream)
            });
            match filled {
                Ok(0) if begun.is_none() && self.entry.phase() == Phase::Closing => {
                    return Err(self.without_slot());
                }
                Ok(0) if begun.is_none() => return Err(NoRequest::Close(CloseReason::PeerClosed)),
                Ok(0) => return Err(NoRequest::Close(CloseReason::PeerVanished)),
                Ok(_) => {}
                // Its rejection is sent without a request, as to those that are not let in at all.
                Err(error) if is_timeout(&error) && self.reserved.is_some() => {
                    return Err(NoRequest::Refuse(RequestError::Timeout));
                }
                Err(error) if is_timeout(&error) && begun.is_some() && !scan.is_blank() => {
                    self.service.counters.head_timeouts.increment();
                    return Err(NoRequest::Refuse(RequestError::Timeout));
                }
                Err(error) => return Err(NoRequest::Close(self.why_ended(&error))),
            }
        }
    }

    /// What becomes of a connection whose slot was taken before it began a request. One of the reserve is
    /// told so, as it would have been without the reserve.
    fn without_slot(&self) -> NoRequest {
        match self.reserved {
            Some(_) => NoRequest::Refuse(RequestError::Timeout),
            None => NoRequest::Close(CloseReason::Reclaimed),
        }
    }

    /// Answers the request whose head was received; says why the connection is to be closed then.
    fn exchange(&mut self, begun: Instant) -> Option<CloseReason> {
        let (version, fields) = (self.head.version(), self.head.fields());
        let checked = check_host(&self.head).and_then(|()| {
            let framing = request_framing(version, &fields)?;
            Ok((framing, expects_continue(version, &fields)?))
        });
        let (framing, waits_for_continue) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(error),
        };
        let asked_to_persist = asks_to_persist(version, &fields);
        // The head alone decides the answer, so a client that waits is not asked for its content
        // (RFC 9110 §10.1.1), and where the connection is closed in any case it is not waited for.
        let is_unread = match framing {
            Framing::Length(0) => false,
            Framing::Length(length) if length > MAX_DISCARDED_BYTES => true,
            _ => waits_for_continue || self.reserved.is_some(),
        };
        let content = if is_unread {
            Content::LeftUnread
        } else {
            match self.read_past(framing) {
                Ok(content) => content,
                Err(NoRequest::Close(reason)) => return Some(reason),
                Err(NoRequest::Refuse(error)) => return self.refuse(error),
            }
        };
        self.entry.record_request(self.head.method_token(), self.head.target());
        let status = self.service.answer_status(&self.head, &self.client);
        if let Some(rejection) = &self.reserved {
            let response = status.unwrap_or_else(|| self.service.answer_rejected(rejection));
            return self.send(&response, Some(CloseReason::Crowded), begun);
        }
        let mut response = status.unwrap_or_else(|| self.service.answerer.answer(&self.head));
        let held = self.service.admission.held_by(self.client.key);
        if !self.client.exempt && self.service.enforces() {
            let limit = self.service.admission.limits().per_client;
            let remaining = limit.saturating_sub(held.client);
            response = response
                .field("RateLimit-Policy", self.service.advertised.clone())
                .field("RateLimit", format!("\"per-client\";r={remaining}"));
        }
        let objections = Objections {
            has_unread_content: matches!(content, Content::LeftUnread),
            is_untrustworthy: is_untrustworthy(self.head.method_token(), response.status),
            peer_asks: !asked_to_persist,
            is_undelimited: !response.is_delimited(version),
            is_stopping: self.service.is_stopping(),
            is_crowded: held.total >= self.service.crowded_from(),
            is_last: self.requests + 1 >= self.service.policy.keep_alive_requests,
        };
        self.send(&response, objections.decide(), begun)
    }

    fn refuse(&mut self, error: RequestError) -> Option<CloseReason> {
        log::debug!("{}: refused: {error}", self.client.address);
        let response = match &self.reserved {
            Some(rejection) => self.service.answer_rejected(rejection),
            None => self.service.answerer.refuse(&self.head, error),
        };
        self.send(&response, Some(CloseReason::Refused), Instant::now())
    }

    /// Reads a request's content and forgets it, within [`MAX_DISCARDED_BYTES`].
    fn read_past(&mut self, framing: Framing) -> Result<Content, NoRequest> {
        let mut body = Body::of_request(framing);
        let mut discarded = 0;
        let mut stream = StreamUntil {
            stream: self.stream,
            read_timeout: &mut self.read_timeout,
            deadline: Deadline::after(self.service.timeouts.head),
        };
        loop {
            match body.next_piece(&mut self.input, &mut stream) {
                Ok(None) => return Ok(Content::Read),
                Ok(Some(piece)) => discarded += piece.len() as u64,
                Err(BodyError::Chunked(error)) => {
                    return Err(NoRequest::Refuse(RequestError::Chunked(error)));
                }
                Err(BodyError::Io(error)) if is_timeout(&error) => {
                    return Err(NoRequest::Refuse(RequestError::Timeout));
                }
                Err(BodyError::Io(_) | BodyError::Truncated { .. }) => {
                    return Err(NoRequest::Close(CloseReason::PeerVanished));
                }
            }
            if discarded > MAX_DISCARDED_BYTES {
                return Ok(Content::LeftUnread);
            }
        }
    }

    fn send(
        &mut self,
        response: &Response,
        ended: Option<CloseReason>,
        begun: Instant,
    ) -> Option<CloseReason> {
        let part = self.part();
        self.requests += 1;
        self.service.counters.requests.increment();
        self.entry.enter(Phase::Sending);
        thread::sleep(self.service.policy.delay);
        let persistence = if ended.is_none() { Persistence::Keep } else { Persistence::Close };
        let how = (self.head.version(), part, persistence);
        let outgoing = Outgoing { stream: self.stream, pace: &mut self.pace };
        let sent = response::send(response, outgoing, &mut self.out, how);
        if self.out.capacity() > KEPT_OUTPUT_BYTES {
            self.out = Vec::new();
        }
        let content_bytes = sent.as_ref().copied().unwrap_or(0);
        self.service.counters.add_response(response.status, content_bytes);
        self.entry.record_response(content_bytes);
        self.service.access_log.record(&Exchange {
            client: self.client.address,
            head: &self.head,
            unread: self.input.data(),
            status: response.status,
            content_bytes: sent.as_ref().copied().ok(),
            taken: begun.elapsed(),
            ordinal: self.requests,
        });
        match sent {
            Ok(_) => ended,
            Err(error) => Some(self.why_incomplete(&error)),
        }
    }

    /// Which part of its response the request is sent. One that was refused before its head was whole is
    /// still in the buffer.
    fn part(&self) -> Part {
        let is_head = if self.head.method_token().is_empty() {
            let mut scan = RequestScan::default();
            scan.advance(self.input.data());
            scan.is_head_request()
        } else {
            self.head.method() == Method::Head
        };
        if is_head { Part::Head } else { Part::Whole }
    }

    fn why_ended(&self, error: &io::Error) -> CloseReason {
        if is_timeout(error) {
            return CloseReason::Idle;
        }
        if !is_disconnect(error) {
            log::debug!("{}: cannot read: {error}", self.client.address);
        }
        CloseReason::PeerVanished
    }

    fn why_incomplete(&self, error: &io::Error) -> CloseReason {
        if is_timeout(error) {
            self.service.counters.slow_drops.increment();
            CloseReason::Slow
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            log::warn!(
                "{}: the file became shorter while it was sent",
                Escaped(self.head.target())
            );
            CloseReason::Incomplete
        } else if is_disconnect(error) {
            CloseReason::PeerVanished
        } else {
            log::warn!("{}: cannot send: {error}", self.client.address);
            CloseReason::Incomplete
        }
    }
}

/// What became of a request's content.
enum Content {
    Read,
    LeftUnread,
}

/// The stream, whose reads all end by one deadline.
struct StreamUntil<'c> {
    stream: &'c TcpStream,
    read_timeout: &'c mut ReadTimeout,
    deadline: Deadline,
}

impl Read for StreamUntil<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_timeout.set(self.stream, self.deadline.remaining()?)?;
        let mut stream = self.stream;
        stream.read(buffer)
    }
}

/// Reads the PROXY header that a connection from a proxy begins with, within `patience`; `None` where
/// the proxy speaks for itself.
///
/// # Errors
/// There is none, or not in time: the connection cannot be served.
pub(super) fn read_proxy_header(
    stream: &TcpStream,
    input: &mut Input,
    patience: Duration,
) -> io::Result<Option<SocketAddr>> {
    let mut read_timeout = ReadTimeout::default();
    let deadline = Deadline::after(patience);
    let mut stream = StreamUntil { stream, read_timeout: &mut read_timeout, deadline };
    loop {
        if input.fill(&mut stream)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match proxy_protocol::parse(input.data()).map_err(io::Error::other)? {
            Parse::NeedMore => {}
            Parse::Done { source, length } => {
                input.consume(length);
                return Ok(source);
            }
        }
    }
}
