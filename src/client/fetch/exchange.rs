//! One request and its response, over an idle or a new connection.
//!
//! ```text
//! gate ─▶ idle or new connection ─▶ request ─▶ head ─▶ report to the gate ─▶ content, for the caller
//!             ▲                        │
//!             └────────────────────────┘ an idle connection ended before a response: open a new one
//! ```
//!
//! The callers decide how a response is used.

use std::io::{self, Write};
use std::time::Duration;

use url::Url;

use super::coding::decoder_slots::DecoderSlots;
use super::request::Request;
use super::response::{Response, declared_length, framing, report_to_gate};
use crate::client::error::{FetchError, TimeoutPhase};
use crate::client::hosts::gate::{AdmittedRequest, HostGates, HostPermit};
use crate::client::redact::redacted_url;
use crate::client::results::outcome::Phases;
use crate::client::settings::request_fields::RequestFields;
use crate::client::transport::connect::{Connection, Connector, timed};
use crate::http::{Framing, ResponseHead, Status, response_persists};
use crate::net::{Body, BodyError, Deadline, HeadReadError, Input, is_disconnect, is_timeout};

/// The limit of informational responses before the final one (RFC 9110 §15.2 sets none).
const MAX_INFORMATIONAL: usize = 100;

/// The size of the input buffer, and so of a read. A larger one gains nothing on loopback.
const BUFFER_BYTES: usize = 256 * 1024;

/// Content that is not wanted is read only up to this length and for [`DISCARD_TIME`], to keep its
/// connection. Beyond these a new connection costs less.
const MAX_DISCARDED_BYTES: usize = 64 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// The network access that the workers of a run share.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) connector: Connector,
    pub(crate) gates: HostGates,
    pub(crate) fields: RequestFields,
    pub(crate) decoders: DecoderSlots,
}

/// Sends requests and reads responses one after another, in buffers that are reused.
#[derive(Debug)]
pub(crate) struct Exchanger<'n> {
    pub(super) network: &'n Network,
    /// The admission of a job's first request; later requests are admitted one by one.
    pub(crate) admission: Option<AdmittedRequest<'n>>,
    input: Input,
    request: Vec<u8>,
}

/// The head of a response, and the connection that it came over.
struct Exchanged {
    head: ResponseHead,
    connection: Connection,
}

impl<'n> Exchanger<'n> {
    pub(crate) fn new(network: &'n Network) -> Self {
        let input = Input::with_capacity(BUFFER_BYTES);
        Self { network, admission: None, input, request: Vec::new() }
    }

    /// Gives up an admission that no request has used.
    pub(crate) fn return_admission(&mut self) {
        if let Some(AdmittedRequest { permit, connection: Some(connection) }) =
            self.admission.take()
        {
            permit.keep(connection);
        }
    }

    /// Sends the request once its host admits it, and reads the head of the response.
    pub(super) fn send(
        &mut self,
        request: &Request<'_>,
        phases: &mut Phases,
    ) -> Result<Response<'n>, FetchError> {
        let network = self.network;
        let url = request.url;
        self.request.clear();
        let via = network.connector.forwarding_proxy(url)?;
        request.write(&mut self.request, &network.fields, via);
        let admission = self.admission.take().filter(|admission| admission.permit.is_for(url));
        let AdmittedRequest { mut permit, connection: idle } = match admission {
            Some(admission) => admission,
            None => network.gates.admission(url, phases)?,
        };
        let mut exchanged = None;
        if let Some(connection) = idle {
            match timed(&mut phases.first_byte, || self.exchange(connection)) {
                Err(error) if self.input.data().is_empty() && is_stale(&error) => {
                    let url = redacted_url(url);
                    log::debug!(
                        "the server closed an idle connection: sending {url} over a new one"
                    );
                    permit.reopen();
                }
                result => exchanged = Some(result?),
            }
        }
        let Exchanged { head, connection } = if let Some(exchanged) = exchanged {
            exchanged
        } else {
            let connection = self.connect(&mut permit, url, phases)?;
            timed(&mut phases.first_byte, || self.exchange(connection))?
        };
        report_to_gate(&mut permit, &head);
        Ok(Response { head, connection, permit })
    }

    /// Opens a connection, and reports to the gate how that went.
    fn connect(
        &self,
        permit: &mut HostPermit<'_>,
        url: &Url,
        phases: &mut Phases,
    ) -> Result<Connection, FetchError> {
        let connect_before = phases.connect;
        let result = self.network.connector.connect(url, phases);
        permit.record_connected(phases.connect.saturating_sub(connect_before));
        if result.as_ref().is_err_and(is_overload) {
            permit.record_lost();
        }
        result
    }

    fn exchange(&mut self, mut connection: Connection) -> Result<Exchanged, FetchError> {
        self.input.consume(self.input.data().len());
        self.input.release();
        match connection.write_all(&self.request).and_then(|()| connection.flush()) {
            Ok(()) => self.read_head(connection),
            Err(error) if is_timeout(&error) => Err(self.timed_out(TimeoutPhase::Send)),
            // A server that rejects a connection may respond and close before it reads the request.
            Err(error) if is_disconnect(&error) => {
                self.read_head(connection).map_err(|failure| match failure {
                    FetchError::Closed | FetchError::Receive(_) => FetchError::Send(error),
                    failure => failure,
                })
            }
            Err(error) => Err(FetchError::Send(error)),
        }
    }

    /// Reads the head of the final response, after informational ones.
    fn read_head(&mut self, mut connection: Connection) -> Result<Exchanged, FetchError> {
        for _ in 0..=MAX_INFORMATIONAL {
            let head = self
                .input
                .read_response_head(&mut connection)
                .map_err(|error| self.head_error(error))?;
            // 101 is final: the bytes after it are not HTTP.
            if !head.status().is_informational() || head.status() == Status::SWITCHING_PROTOCOLS {
                return Ok(Exchanged { head, connection });
            }
        }
        Err(FetchError::TooManyInterim)
    }

    /// The next piece of a response's content; `None` at its end.
    pub(super) fn next_piece(
        &mut self,
        response: &mut Response<'_>,
        body: &mut Body,
    ) -> Result<Option<&[u8]>, FetchError> {
        let timeout = self.network.connector.timeouts.silence;
        body.next_piece(&mut self.input, &mut response.connection).map_err(|error| match error {
            BodyError::Io(error) if is_timeout(&error) => {
                FetchError::TimedOut { phase: TimeoutPhase::Body, timeout }
            }
            error => FetchError::Body(error),
        })
    }

    /// Drops a response, and keeps its connection if the rest of its content is short.
    pub(super) fn discard(&mut self, mut response: Response<'_>) {
        let Ok(framing) = framing(&response.head) else { return };
        let may_be_short = framing != Framing::UntilClose
            && declared_length(framing).is_none_or(|bytes| bytes <= MAX_DISCARDED_BYTES as u64);
        if may_be_short && self.read_to_end(&mut response.connection, framing).is_some() {
            self.keep_if_persistent(response, framing);
        }
    }

    /// Reads unwanted content within the bounds on it; `None` if it exceeds them or does not end well.
    fn read_to_end(&mut self, connection: &mut Connection, framing: Framing) -> Option<()> {
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

    /// Keeps the connection after the content of a response has been read, unless either side closes it.
    pub(super) fn keep_if_persistent(&self, response: Response<'_>, framing: Framing) {
        // Unread input would be taken for the next response.
        if framing != Framing::UntilClose
            && self.input.data().is_empty()
            && response_persists(response.head.version(), &response.head.fields())
        {
            response.permit.keep(response.connection);
        }
    }

    fn timed_out(&self, phase: TimeoutPhase) -> FetchError {
        FetchError::TimedOut { phase, timeout: self.network.connector.timeouts.silence }
    }

    fn head_error(&self, error: HeadReadError) -> FetchError {
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

/// Whether a connection was refused, or not accepted in time, as by a host with too many of them.
fn is_overload(error: &FetchError) -> bool {
    matches!(
        error,
        FetchError::Connect { .. } | FetchError::TimedOut { phase: TimeoutPhase::Connect, .. }
    )
}

/// Whether an idle connection ended as servers end them. That is certain only before the first byte of a
/// response (RFC 9112 §9.3.1).
fn is_stale(error: &FetchError) -> bool {
    match error {
        FetchError::Closed => true,
        FetchError::Send(error) | FetchError::Receive(error) => is_disconnect(error),
        _ => false,
    }
}
