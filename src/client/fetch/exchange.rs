//! One request and its answer, over a connection that is kept or opened for it.
//!
//! ```text
//! gate ─▶ kept connection or new one ─▶ request ─▶ head ─┬─ 429, 503 ─▶ the gate is told
//!             ▲                                          └─ the body, which is the caller's
//!             └─ a kept connection ended without a byte of an answer: once more, over a new one
//! ```
//!
//! What the answer is worth is not decided here.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use super::coding::decoder_slots::DecoderSlots;
use super::request::Request;
use crate::client::error::{FetchError, TimeoutPhase};
use crate::client::hosts::gate::{Admission, HostGates, Permit};
use crate::client::redact::redacted_url;
use crate::client::results::outcome::Phases;
use crate::client::settings::request_fields::RequestFields;
use crate::client::transport::connect::{Connection, Connector, timed};
use crate::http::rate_limit::{QuotaPolicy, QuotaUnit, retry_after};
use crate::http::{
    Answering, Fields, Framing, ResponseHead, ResponseHeadError, Status, response_framing,
    response_persists,
};
use crate::net::{Body, BodyError, Deadline, HeadReadError, Input, is_disconnect, is_timeout};

/// Most informational answers before the one that counts (RFC 9110 §15.2 has no limit).
const MAX_INFORMATIONAL: usize = 100;

/// Most room offered to each read of a body. A larger buffer gains nothing on loopback.
const BUFFER_BYTES: usize = 256 * 1024;

/// A body that nobody wants is read past, to keep its connection, if it is no longer than this and
/// takes no longer than [`DISCARD_TIME`]; otherwise a new connection costs less.
const MAX_DISCARDED_BYTES: usize = 64 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// What the workers of a run share to talk to servers with.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) connector: Connector,
    pub(crate) gates: HostGates,
    pub(crate) fields: RequestFields,
    pub(crate) decoders: DecoderSlots,
}

/// Sends one request after another, with buffers that are reused.
#[derive(Debug)]
pub(crate) struct Exchanger<'n> {
    pub(super) network: &'n Network,
    /// The admission of a job's first request; later requests are admitted one by one.
    pub(crate) admission: Option<Admission<'n>>,
    input: Input,
    request: Vec<u8>,
}

/// An answer whose body has not been read, on its connection.
#[derive(Debug)]
pub(super) struct Answer<'n> {
    pub(super) head: ResponseHead,
    connection: Connection,
    permit: Permit<'n>,
}

impl<'n> Exchanger<'n> {
    pub(crate) fn new(network: &'n Network) -> Self {
        let input = Input::with_capacity(BUFFER_BYTES);
        Self { network, admission: None, input, request: Vec::new() }
    }

    /// Gives up an admission that no request has used.
    pub(crate) fn give_back(&mut self) {
        if let Some(Admission { permit, connection: Some(connection) }) = self.admission.take() {
            permit.keep(connection);
        }
    }

    /// Sends the request once its host's gate is open, and reads the answer's head.
    pub(super) fn ask(
        &mut self,
        request: &Request<'_>,
        phases: &mut Phases,
    ) -> Result<Answer<'n>, FetchError> {
        let network = self.network;
        let url = request.url;
        self.request.clear();
        let via = network.connector.forwarding_proxy(url)?;
        request.write(&mut self.request, &network.fields, via);
        let admission = self.admission.take().filter(|admission| admission.permit.is_for(url));
        let Admission { mut permit, connection: kept } = match admission {
            Some(admission) => admission,
            None => network.gates.admission(url, phases)?,
        };
        let mut exchanged = None;
        if let Some(connection) = kept {
            match timed(&mut phases.first_byte, || self.exchange(connection)) {
                Err(error) if self.input.data().is_empty() && is_stale(&error) => {
                    let url = redacted_url(url);
                    log::debug!("the server closed a kept connection: {url} is asked for anew");
                    permit.reopen();
                }
                result => exchanged = Some(result?),
            }
        }
        let (head, connection) = if let Some(exchanged) = exchanged {
            exchanged
        } else {
            let connection = network.connector.connect(url, phases)?;
            timed(&mut phases.first_byte, || self.exchange(connection))?
        };
        tell_gate(&mut permit, &head);
        Ok(Answer { head, connection, permit })
    }

    fn exchange(
        &mut self,
        mut connection: Connection,
    ) -> Result<(ResponseHead, Connection), FetchError> {
        self.input.consume(self.input.data().len());
        self.input.release();
        match connection.write_all(&self.request).and_then(|()| connection.flush()) {
            Ok(()) => self.read_head(connection),
            Err(error) if is_timeout(&error) => Err(self.timed_out(TimeoutPhase::Send)),
            // A server that refuses a connection may answer and close before it has read anything.
            Err(error) if is_disconnect(&error) => {
                self.read_head(connection).map_err(|failure| match failure {
                    FetchError::Closed | FetchError::Receive(_) => FetchError::Send(error),
                    failure => failure,
                })
            }
            Err(error) => Err(FetchError::Send(error)),
        }
    }

    /// Reads the head of the answer that counts, past informational ones.
    fn read_head(
        &mut self,
        mut connection: Connection,
    ) -> Result<(ResponseHead, Connection), FetchError> {
        for _ in 0..=MAX_INFORMATIONAL {
            let head = self
                .input
                .read_response_head(&mut connection)
                .map_err(|error| self.no_head(error))?;
            // 101 is the last of its kind: what follows it is no HTTP.
            if !head.status().is_informational() || head.status() == Status::SWITCHING_PROTOCOLS {
                return Ok((head, connection));
            }
        }
        Err(FetchError::TooManyInterim)
    }

    /// The next piece of an answer's body; `None` at its end.
    pub(super) fn next_piece(
        &mut self,
        answer: &mut Answer<'_>,
        body: &mut Body,
    ) -> Result<Option<&[u8]>, FetchError> {
        let timeout = self.network.connector.timeouts.silence;
        body.next_piece(&mut self.input, &mut answer.connection).map_err(|error| match error {
            BodyError::Io(error) if is_timeout(&error) => {
                FetchError::TimedOut { phase: TimeoutPhase::Body, timeout }
            }
            error => FetchError::Body(error),
        })
    }

    /// Reads past a body that nobody wants, where that is cheaper than a new connection.
    pub(super) fn discard(&mut self, mut answer: Answer<'_>) {
        let Ok(framing) = framing(&answer.head) else { return };
        let is_short = match framing {
            Framing::Length(bytes) => bytes <= MAX_DISCARDED_BYTES as u64,
            Framing::Chunked => true,
            Framing::UntilClose => false,
        };
        if is_short && self.read_past(&mut answer.connection, framing).is_some() {
            self.keep_if_persistent(answer, framing);
        }
    }

    fn read_past(&mut self, connection: &mut Connection, framing: Framing) -> Option<()> {
        let deadline = Deadline::after(DISCARD_TIME);
        let mut body = Body::of_response(framing);
        let mut room = MAX_DISCARDED_BYTES;
        loop {
            if self.input.data().is_empty() && !body.is_complete() {
                connection.set_read_timeout(deadline.remaining().ok()?).ok()?;
            }
            match body.next_piece(&mut self.input, connection).ok()? {
                Some(piece) => room = room.checked_sub(piece.len())?,
                None => break,
            }
        }
        connection.set_read_timeout(self.network.connector.timeouts.silence).ok()
    }

    /// Keeps the connection of an answer whose body has been read, unless either side ends it.
    pub(super) fn keep_if_persistent(&self, answer: Answer<'_>, framing: Framing) {
        // What comes behind an answer, unasked, could be taken for the next one.
        if framing != Framing::UntilClose
            && self.input.data().is_empty()
            && response_persists(answer.head.version(), &answer.head.fields())
        {
            answer.permit.keep(answer.connection);
        }
    }

    fn timed_out(&self, phase: TimeoutPhase) -> FetchError {
        FetchError::TimedOut { phase, timeout: self.network.connector.timeouts.silence }
    }

    fn no_head(&self, error: HeadReadError<ResponseHeadError>) -> FetchError {
        match error {
            HeadReadError::Malformed(error) => FetchError::Malformed(error),
            HeadReadError::Io(error) if is_timeout(&error) => self.timed_out(TimeoutPhase::Answer),
            HeadReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                FetchError::Closed
            }
            HeadReadError::Io(error) => FetchError::Receive(error),
        }
    }
}

/// What an answer says of the connections that its host bears.
fn tell_gate(permit: &mut Permit<'_>, head: &ResponseHead) {
    let advertised = concurrent_requests(&head.fields());
    match head.status() {
        Status::TOO_MANY_REQUESTS => permit.refused(advertised, asked_wait(head)),
        Status::SERVICE_UNAVAILABLE => permit.unavailable(asked_wait(head)),
        _ => permit.accepted(advertised, head.fields().only("Server")),
    }
}

/// How long the server wants to be left alone (`Retry-After`). With a redirect it is about the redirect
/// itself, which is followed at once (RFC 9110 §10.2.3).
pub(super) fn asked_wait(head: &ResponseHead) -> Option<Duration> {
    if !head.status().is_error() {
        return None;
    }
    retry_after(head.fields().only("Retry-After")?, SystemTime::now())
}

/// How an answer's body is framed.
pub(super) fn framing(head: &ResponseHead) -> Result<Framing, FetchError> {
    response_framing(Answering::Get, head.status(), &head.fields()).map_err(FetchError::Framing)
}

/// A kept connection ended in a way in which servers end idle ones. Only without a byte of an answer
/// is it certain that this is what happened (RFC 9112 §9.3.1).
fn is_stale(error: &FetchError) -> bool {
    match error {
        FetchError::Closed => true,
        FetchError::Send(error) | FetchError::Receive(error) => is_disconnect(error),
        _ => false,
    }
}

/// The least number of concurrent requests that one of the server's policies allows.
fn concurrent_requests(fields: &Fields<'_>) -> Option<usize> {
    let policies = QuotaPolicy::parse_list(&fields.joined("RateLimit-Policy")?)?;
    let quotas = policies
        .into_iter()
        .filter(|policy| policy.unit == QuotaUnit::ConcurrentRequests && policy.quota > 0)
        .map(|policy| usize::try_from(policy.quota).unwrap_or(usize::MAX));
    quotas.min()
}
