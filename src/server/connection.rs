//! The life of one connection: request after request, until it closes.
//!
//! ```text
//! wait for a head ─▶ read its content past ─▶ answer ─▶ log ─▶ keep? ─▶ wait …
//!        └─ refused: answer, close                              └─ close
//! ```
//!
//! While it waits for a request a connection holds no more than one small buffer.

use std::io::{self, Read};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use super::access_log::Exchange;
use super::answer::{Answerer, check_host, refusal};
use super::config::Timeouts;
use super::response::{Part, Response};
use crate::http::{
    CloseReason, Framing, HeadScan, Method, Persistence, RequestError, RequestHead,
    asks_to_persist, expects_continue, request_framing,
};
use crate::net::{Body, BodyError, Deadline, Input, ReadTimeout, is_disconnect, is_timeout};

/// Room for each read: a browser's head fits, and a page of memory holds it.
const INPUT_BYTES: usize = 4 * 1024;

/// A buffer for outgoing bytes larger than this is given back after a response.
const KEPT_OUTPUT_BYTES: usize = 4 * 1024;

/// Most content of a request that is read past to keep its connection.
const MAX_DISCARDED_BYTES: u64 = 1024 * 1024;

/// One connection while it is served.
pub(super) struct Connection<'s> {
    stream: &'s TcpStream,
    client: IpAddr,
    answerer: &'s Answerer,
    timeouts: Timeouts,
    read_timeout: ReadTimeout,
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
    pub(super) fn new(
        stream: &'s TcpStream,
        client: IpAddr,
        answerer: &'s Answerer,
        timeouts: Timeouts,
    ) -> Self {
        Self {
            stream,
            client,
            answerer,
            timeouts,
            read_timeout: ReadTimeout::default(),
            input: Input::with_capacity(INPUT_BYTES),
            head: RequestHead::default(),
            out: Vec::new(),
        }
    }

    /// Serves requests until the connection is to be closed, and says why it is.
    pub(super) fn serve(&mut self) -> CloseReason {
        let prepared = self
            .stream
            .set_nodelay(true)
            .and_then(|()| self.stream.set_write_timeout(Some(self.timeouts.stall)));
        if let Err(error) = prepared {
            log::debug!("{}: cannot prepare the socket: {error}", self.client);
            return CloseReason::PeerVanished;
        }
        // A fresh connection has its head's whole time, a kept one less.
        let mut patience = self.timeouts.head;
        loop {
            let persistence = match self.receive(patience) {
                Ok(begun) => self.exchange(begun),
                Err(NoRequest::Close(reason)) => Persistence::Close(reason),
                Err(NoRequest::Refuse(error)) => self.refuse(error),
            };
            match persistence {
                Persistence::Keep => patience = self.timeouts.idle,
                Persistence::Close(reason) => return reason,
            }
        }
    }

    /// The peer may have sent what was not read: closing at once would take its answer away.
    pub(super) fn may_have_unread_input(&self, reason: CloseReason) -> bool {
        match reason {
            CloseReason::Refused | CloseReason::UnreadContent => true,
            _ => !self.input.data().is_empty(),
        }
    }

    /// Waits for `patience` for a head to begin and then until it is complete; says when it began.
    fn receive(&mut self, patience: Duration) -> Result<Instant, NoRequest> {
        self.head.clear();
        self.input.release();
        let mut scan = HeadScan::default();
        let mut begun = None;
        loop {
            if !self.input.data().is_empty() {
                let taken = self.input.take_request_head(&mut scan, &mut self.head);
                let begun = *begun.get_or_insert_with(Instant::now);
                if taken.map_err(NoRequest::Refuse)? {
                    return Ok(begun);
                }
            }
            let timeout = match begun {
                None => Ok(patience),
                Some(begun) => Deadline::at(begun + self.timeouts.head).remaining(),
            };
            let filled = timeout.and_then(|timeout| {
                self.read_timeout.set(self.stream, timeout)?;
                self.input.fill(&mut &*self.stream)
            });
            match filled {
                Ok(0) if begun.is_none() => return Err(NoRequest::Close(CloseReason::PeerClosed)),
                Ok(0) => return Err(NoRequest::Close(CloseReason::PeerVanished)),
                Ok(_) => {}
                Err(error) if is_timeout(&error) && begun.is_some() => {
                    return Err(NoRequest::Refuse(RequestError::Timeout));
                }
                Err(error) => return Err(NoRequest::Close(self.why_ended(&error))),
            }
        }
    }

    /// Answers the request whose head was received.
    fn exchange(&mut self, begun: Instant) -> Persistence {
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
        // (RFC 9110 §10.1.1).
        let content = if waits_for_continue && framing != Framing::Length(0) {
            Content::LeftUnread
        } else {
            match self.read_past(framing) {
                Ok(content) => content,
                Err(NoRequest::Close(reason)) => return Persistence::Close(reason),
                Err(NoRequest::Refuse(error)) => return self.refuse(error),
            }
        };
        let persistence = match content {
            Content::LeftUnread => Persistence::Close(CloseReason::UnreadContent),
            Content::Read if asked_to_persist => Persistence::Keep,
            Content::Read => Persistence::Close(CloseReason::PeerAsked),
        };
        let response = self.answerer.answer(&self.head);
        self.send(&response, persistence, begun)
    }

    fn refuse(&mut self, error: RequestError) -> Persistence {
        log::debug!("{}: refused: {error}", self.client);
        let persistence = Persistence::Close(CloseReason::Refused);
        self.send(&refusal(&self.head, error), persistence, Instant::now())
    }

    /// Reads a request's content and forgets it, within [`MAX_DISCARDED_BYTES`].
    fn read_past(&mut self, framing: Framing) -> Result<Content, NoRequest> {
        let mut body = Body::new(framing);
        let mut discarded = 0;
        let mut stream = StreamUntil {
            stream: self.stream,
            read_timeout: &mut self.read_timeout,
            deadline: Deadline::after(self.timeouts.head),
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
        persistence: Persistence,
        begun: Instant,
    ) -> Persistence {
        let part = if self.head.method() == Method::Head { Part::Head } else { Part::Whole };
        let how = (self.head.version(), part, persistence);
        let sent = response.send(self.stream, &mut self.out, how);
        if self.out.capacity() > KEPT_OUTPUT_BYTES {
            self.out = Vec::new();
        }
        Exchange {
            client: self.client,
            head: &self.head,
            status: response.status,
            content_bytes: sent.as_ref().copied().ok(),
            taken: begun.elapsed(),
        }
        .log();
        match sent {
            Ok(_) => persistence,
            Err(error) => Persistence::Close(self.why_incomplete(&error)),
        }
    }

    fn why_ended(&self, error: &io::Error) -> CloseReason {
        if is_timeout(error) {
            return CloseReason::Idle;
        }
        if !is_disconnect(error) {
            log::debug!("{}: cannot read: {error}", self.client);
        }
        CloseReason::PeerVanished
    }

    fn why_incomplete(&self, error: &io::Error) -> CloseReason {
        if is_timeout(error) {
            CloseReason::Slow
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            log::warn!(
                "{}: the file became shorter while it was sent",
                self.head.target().escape_ascii()
            );
            CloseReason::Incomplete
        } else if is_disconnect(error) {
            CloseReason::PeerVanished
        } else {
            log::warn!("{}: cannot send: {error}", self.client);
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
