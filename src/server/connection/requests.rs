//! Serving one connection: request after request, until it is closed.
//!
//! ```text
//! read a head ─▶ discard its content ─▶ answer ─▶ send ─▶ log ─▶ keep? ─▶ read …
//!      └─ refused: answer, close                                   └─ close
//! ```

use std::io;
use std::thread;

use super::archive::archive_error;
use super::close_reason::{CloseConditions, CloseReason, is_untrustworthy};
use super::rate::SendRate;
use super::request_reader::{MAX_DISCARDED_BYTES, NoRequest, RequestContent, RequestReader};
use super::response;
use super::response::{ResponsePart, SendOptions};
use super::send::Sender;
use super::transport::Transport;
use crate::http::{
    Framing, Method, Persistence, RequestError, RequestScan, asks_to_persist, expects_continue,
    request_framing,
};
use crate::net::{Input, is_disconnect, is_timeout};
use crate::printable::Escaped;
use crate::server::access::authenticator::{Login, LoginError};
use crate::server::handler::answer::check_host;
use crate::server::handler::extra_fields::Channel;
use crate::server::handler::https_redirect::refuse_plainly;
use crate::server::handler::rate_limit_fields::rate_limit;
use crate::server::handler::response::Response;
use crate::server::limits::accepted_connection::Purpose;
use crate::server::limits::client::Client;
use crate::server::limits::connection_entry::ConnectionEntry;
use crate::server::limits::phase::Phase;
use crate::server::limits::registry::has_input;
use crate::server::limits::rejection::Scope;
use crate::server::logs::exchange::Exchange;
use crate::server::service::Service;
use crate::server::tls::session::TlsSession;

/// A larger output buffer is freed after a response.
const KEPT_OUTPUT_BYTES: usize = 4 * 1024;

/// What the requests of a connection are answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// Files, or the status.
    Files,
    /// One redirect.
    Redirects,
    Refusal(RequestError),
}

impl Answers {
    pub(super) fn of(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Files => Self::Files,
            Purpose::Redirect => Self::Redirects,
        }
    }
}

/// One connection while it is served.
pub(super) struct Connection<'s> {
    service: &'s Service,
    entry: &'s ConnectionEntry,
    client: Client,
    transport: Transport<'s>,
    answers: Answers,
    reader: RequestReader<'s>,
    rate: SendRate,
    requests: u64,
    /// Connections of all clients, as of the last request.
    open_connections: usize,
    /// Whose password was right.
    login: Option<Login>,
    /// The last request had a password that is wrong, or was not verified.
    is_guess: bool,
    out: Vec<u8>,
}

impl<'s> Connection<'s> {
    /// `input` holds the bytes received after the PROXY header.
    pub(super) fn new(
        service: &'s Service,
        entry: &'s ConnectionEntry,
        transport: Transport<'s>,
        input: Input,
        answers: Answers,
    ) -> Self {
        // Only connections that are counted until their end share rates: one in the reserve is rejected, or gets the
        // status.
        let shares = match (entry.reserved, answers) {
            (Some(_), _) | (_, Answers::Redirects) => Vec::new(),
            (None, _) => service.connection_rates.shares_of(&entry.client),
        };
        Self {
            service,
            entry,
            client: entry.client,
            transport,
            answers,
            reader: RequestReader::new(service, entry, input),
            rate: SendRate::new(service.rates, service.timeouts.stall, shares),
            requests: 0,
            open_connections: 0,
            login: None,
            is_guess: false,
            out: Vec::new(),
        }
    }

    /// Serves requests until the connection must be closed, and returns why. Nothing can be sent afterwards.
    pub(super) fn serve(&mut self) -> CloseReason {
        let reason = self.serve_requests();
        if reason.is_orderly() {
            // Fails only if the peer has gone.
            let _ = Sender { transport: &mut self.transport, rate: &mut self.rate }.end();
        }
        self.rate.settle();
        reason
    }

    fn serve_requests(&mut self) -> CloseReason {
        loop {
            let reason = match self.reader.read_head(&mut self.transport) {
                Ok(()) => self.exchange(),
                Err(NoRequest::Close(reason)) => Some(reason),
                Err(NoRequest::Refuse(error)) => self.refuse(error),
            };
            if let Some(reason) = reason {
                return reason;
            }
            // The response has promised to keep the connection: a request that has come already is answered.
            if self.service.is_stopping() && self.has_read_more() {
                continue;
            }
            // An idle connection may lose its slot, and the rate of a client without one is forgotten.
            if self.service.policy.reclaim_idle {
                self.rate.settle();
            }
            if !self.entry.enter(Phase::Idle) {
                return CloseReason::Stopping;
            }
            // Draining closes the connections that are idle; this one became idle only now.
            if self.service.is_draining() {
                if has_input(&self.entry.stream) {
                    continue;
                }
                return CloseReason::Stopping;
            }
            if self.gives_slot_up() {
                return CloseReason::Reclaimed;
            }
            // While the threads of other connections run, the next request comes, and nobody needs to be
            // put to sleep and woken: 32 connections got 1.35 times as many requests answered, each with
            // 0.88 of the CPU time.
            if self.open_connections > 1 && self.reader.unread().is_empty() {
                thread::yield_now();
            }
        }
    }

    /// True if bytes after the request have been read, or decrypted. Line ends do not begin another request
    /// (RFC 9112 §2.2).
    fn has_read_more(&mut self) -> bool {
        let is_more = |byte: &u8| !matches!(byte, b'\r' | b'\n');
        self.reader.unread().iter().any(is_more)
            || self.transport.session.as_mut().is_some_and(TlsSession::has_decrypted)
    }

    /// Closes this connection, which is idle, if another one waits that could have its slot, and the policy is
    /// to close idle ones.
    ///
    /// One that waits when this one becomes idle came after the response had promised to keep it. One that
    /// comes later closes it: of the two, one sees the other.
    fn gives_slot_up(&self) -> bool {
        let gives_up = self.service.queue.is_some()
            && self.service.policy.reclaim_idle
            && self.service.admission.held_by(self.client.key).is_waited_for
            && self.entry.give_up_if_idle();
        if gives_up {
            self.service.counters.reclaimed.increment();
        }
        gives_up
    }

    /// True if unread input may remain on a connection that is closed for `reason`.
    pub(super) fn may_have_unread_input(&self, reason: CloseReason) -> bool {
        // Over TLS a client that has asked for the close may also say that it sends no more.
        let may_have_ended = reason == CloseReason::PeerAsked && self.transport.session.is_some();
        reason.leaves_input_unread() || may_have_ended || !self.reader.unread().is_empty()
    }

    /// Answers the request that was read; returns why the connection must be closed.
    fn exchange(&mut self) -> Option<CloseReason> {
        if let Answers::Refusal(error) = self.answers {
            return self.refuse(error);
        }
        let head = &self.reader.head;
        let (version, fields) = (head.version(), head.fields());
        let checked = check_host(head).and_then(|()| {
            let framing = request_framing(version, &fields)?;
            Ok((framing, expects_continue(version, &fields)?))
        });
        let (framing, waits_for_continue) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(error),
        };
        let asked_to_persist = asks_to_persist(version, &fields);
        let content = match self.discard_content(framing, waits_for_continue) {
            Ok(content) => content,
            Err(NoRequest::Close(reason)) => return Some(reason),
            Err(NoRequest::Refuse(error)) => return self.refuse(error),
        };
        let head = &self.reader.head;
        self.entry.record_request(head.method_token(), head.target());
        let mut response = self.answer();
        if self.entry.reserved.is_some() {
            return self.send(&response, Some(CloseReason::Crowded));
        }
        let connections = self.service.admission.held_by(self.client.key);
        self.open_connections = connections.total;
        if !self.client.exempt && self.service.enforces() {
            let limit = self.service.admission.limits().per_client;
            let remaining = limit.saturating_sub(connections.client);
            response = response
                .field("RateLimit-Policy", &self.service.rate_limit_policy)
                .field("RateLimit", rate_limit(Scope::Client, remaining, None));
        }
        let conditions = CloseConditions {
            has_unread_content: content == RequestContent::LeftUnread,
            is_untrustworthy: is_untrustworthy(self.reader.head.method_token(), response.status),
            peer_asks: !asked_to_persist,
            is_undelimited: !response.is_delimited(version),
            is_stopping: self.service.is_stopping(),
            is_redirect: self.answers == Answers::Redirects,
            is_guess: self.is_guess,
            is_crowded: connections.total >= self.service.keep_alive_threshold()
                || connections.is_waited_for,
            is_last: self.requests + 1 >= self.service.policy.keep_alive_requests,
        };
        self.send(&response, conditions.close_reason())
    }

    /// The response to the request that was read.
    fn answer(&mut self) -> Response {
        if self.answers == Answers::Redirects {
            let response = self.service.redirect(&self.reader.head, &self.entry.stream);
            return self.with_extra_fields(response);
        }
        let refusal = self.rejection().or_else(|| self.refusal_without_login());
        let head = &self.reader.head;
        if refusal.is_none()
            && let Some(status) = self.service.answer_status(head, &self.client)
        {
            return status;
        }
        let response = refusal.unwrap_or_else(|| self.service.handler.answer(head));
        self.with_extra_fields(response)
    }

    /// Adds the operator's fields, which the status page does without.
    fn with_extra_fields(&self, response: Response) -> Response {
        let channel = if self.transport.session.is_some() { Channel::Tls } else { Channel::Plain };
        self.service.handler.with_extra_fields(response, channel)
    }

    /// The response to a request that needs a right password and has none. A password that was right is not
    /// verified again.
    ///
    /// OPTIONS needs none: what it is answered depends on no file, and a browser sends it without a password to
    /// learn whether a script of another origin may send one (a preflight, Fetch standard).
    fn refusal_without_login(&mut self) -> Option<Response> {
        let authenticator = self.service.authenticator.as_ref()?;
        let head = &self.reader.head;
        let field = head.fields().only("Authorization");
        if self.login.as_ref().is_some_and(|login| authenticator.still_holds(login, field)) {
            return None;
        }
        self.login = None;
        if head.method() == Method::Options {
            return None;
        }
        match self.service.log_in(authenticator, head, &self.client) {
            Ok(login) => {
                self.login = Some(login);
                None
            }
            Err(error) => {
                self.is_guess = error != LoginError::NoCredentials;
                Some(self.service.refuse_login(authenticator, head, error))
            }
        }
    }

    /// Reads past the content of a request, so that the connection can be kept.
    ///
    /// The head alone decides the response, so content is left unread where a client waits for 100
    /// (RFC 9110 §10.1.1), where it is too long, and where the connection is closed in any case.
    fn discard_content(
        &mut self,
        framing: Framing,
        waits_for_continue: bool,
    ) -> Result<RequestContent, NoRequest> {
        let is_left = match framing {
            Framing::Length(0) => false,
            Framing::Length(length) if length > MAX_DISCARDED_BYTES => true,
            _ => waits_for_continue || self.entry.reserved.is_some(),
        };
        if is_left {
            return Ok(RequestContent::LeftUnread);
        }
        self.reader.discard_content(framing, &mut self.transport)
    }

    fn refuse(&mut self, error: RequestError) -> Option<CloseReason> {
        // Whatever else is wrong, the reason for which all are refused comes first.
        let error = match self.answers {
            Answers::Refusal(reason) => reason,
            Answers::Files | Answers::Redirects => error,
        };
        log::debug!("{}: refused: {error}", self.client.address);
        self.login = None;
        let head = &self.reader.head;
        let response = self.rejection().unwrap_or_else(|| match self.answers {
            Answers::Redirects => refuse_plainly(head, error),
            _ => self.service.handler.refuse(head, error),
        });
        let response = self.with_extra_fields(response);
        self.send(&response, Some(CloseReason::Refused))
    }

    /// The response to any request but one for the status page, if the connection is in the reserve.
    fn rejection(&self) -> Option<Response> {
        let rejection = self.entry.reserved.as_ref()?;
        let asks_for_status = self.service.asks_for_status(&self.reader.head, &self.client);
        (!asks_for_status).then(|| self.service.record_rejection(rejection))
    }

    /// Sends, counts and logs a response; returns `close`, or why the response was not sent whole.
    fn send(&mut self, response: &Response, close: Option<CloseReason>) -> Option<CloseReason> {
        self.requests += 1;
        self.service.counters.requests.increment();
        self.entry.enter(Phase::Sending);
        thread::sleep(self.service.policy.delay);
        if self.answers == Answers::Redirects && response.is_short() {
            // The client may connect to the other port as soon as it has the response, and needs the slot there. As
            // the response is the last and waits for nobody, there are hardly more threads than slots.
            self.entry.release_slot();
        }
        let options = SendOptions {
            version: self.reader.head.version(),
            part: self.part(),
            persistence: if close.is_none() { Persistence::Keep } else { Persistence::Close },
        };
        let sender = Sender { transport: &mut self.transport, rate: &mut self.rate };
        let sent = response::send(response, sender, &mut self.out, options);
        if self.out.capacity() > KEPT_OUTPUT_BYTES {
            self.out = Vec::new();
        }
        let content_bytes = sent.as_ref().copied().unwrap_or(0);
        self.service.counters.add_response(response.status, content_bytes);
        self.entry.record_response(content_bytes);
        self.service.access_log.record(&Exchange {
            client: self.client.address,
            user: self.login.as_ref().map(|login| &*login.user),
            head: &self.reader.head,
            unread: self.reader.unread(),
            status: response.status,
            content_bytes: sent.as_ref().copied().ok(),
            taken: self.reader.started_at.elapsed(),
            ordinal: self.requests,
        });
        match sent {
            Ok(_) => close,
            Err(error) => Some(self.why_incomplete(response, &error)),
        }
    }

    /// Whether the whole response is sent, or only its head (`HEAD`). A request that was refused before its
    /// head was complete is still in the buffer.
    fn part(&self) -> ResponsePart {
        let head = &self.reader.head;
        let is_head = if head.method_token().is_empty() {
            let mut scan = RequestScan::default();
            scan.advance(self.reader.unread());
            scan.is_head_request()
        } else {
            head.method() == Method::Head
        };
        if is_head { ResponsePart::Head } else { ResponsePart::Whole }
    }

    fn why_incomplete(&self, response: &Response, error: &io::Error) -> CloseReason {
        let incomplete = if response.is_delimited(self.reader.head.version()) {
            CloseReason::Incomplete
        } else {
            CloseReason::IncompleteUndelimited
        };
        if is_timeout(error) {
            self.service.counters.slow_drops.increment();
            CloseReason::Slow
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            let target = Escaped(self.reader.head.target());
            log::warn!("{target}: the file became shorter while it was sent");
            incomplete
        } else if let Some(error) = archive_error(error) {
            log::warn!("{error}: an archive with it was cut short");
            incomplete
        } else if is_disconnect(error) {
            CloseReason::PeerVanished
        } else {
            log::warn!("{}: cannot send: {error}", self.client.address);
            incomplete
        }
    }
}
