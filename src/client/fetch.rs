//! One attempt at one URL: the request, redirects, the answer, the body into its file.
//!
//! ```text
//! request ─▶ head ─┬─ redirect ─▶ request (at most 20 times)
//!    ▲             ├─ anything else but a whole, plain success ─▶ failure
//!    │             └─ success ─▶ body ─▶ file
//!    └─ a kept connection ended without a byte of an answer: once more, over a new one
//! ```
//!
//! What a failure means for further attempts is not decided here, nor whose turn it is.

use std::io::{self, Write};
use std::time::Duration;

use percent_encoding::{CONTROLS, percent_encode};
use url::{Position, Url};

use super::connect::{Connection, Connector, timed};
use super::job::is_supported;
use super::kept::KeptConnections;
use super::save::PartFile;
use super::{FetchError, Job, Observer, OutputDirectory, Phase, Phases, Saved};
use crate::http::{
    Answering, Framing, HeadWriter, ResponseHead, Status, asks_to_persist, response_framing,
};
use crate::net::{Body, BodyError, Deadline, HeadReadError, Input, is_disconnect, is_timeout};

/// Most redirects that are followed for one URL, as many as browsers do (RFC 9110 §15.4).
pub const MAX_REDIRECTS: usize = 20;

/// Most informational answers before the one that counts (RFC 9110 §15.2 has no limit).
const MAX_INFORMATIONAL: usize = 100;

/// Room offered to each read of a body. A larger buffer gains nothing on loopback; the pages that
/// small files do not fill cost nothing.
const BUFFER_BYTES: usize = 256 * 1024;

/// A body that nobody wants is read past, to keep its connection, if it is no longer than this and
/// takes no longer than [`DISCARD_TIME`]; otherwise a new connection costs less.
const MAX_DISCARDED_BYTES: usize = 64 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

const USER_AGENT: &str = concat!("http_client_concurrent/", env!("CARGO_PKG_VERSION"));

/// What the workers of a run share to fetch with.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) connector: Connector,
    pub(super) kept: KeptConnections,
}

/// Fetches one URL after another, with buffers that are reused.
#[derive(Debug)]
pub(super) struct Fetcher<'n> {
    network: &'n Network,
    input: Input,
    request: Vec<u8>,
}

/// One attempt, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub(super) phases: Phases,
    pub(super) redirected_to: Option<Url>,
}

/// Who is told how a fetch goes, and as which job.
#[derive(Clone, Copy)]
pub(super) struct Listener<'o> {
    pub(super) observer: &'o dyn Observer,
    pub(super) index: usize,
}

/// An answer whose body has not been read, on its connection.
struct Answer {
    head: ResponseHead,
    connection: Connection,
}

impl<'n> Fetcher<'n> {
    pub(super) fn new(network: &'n Network) -> Self {
        Self { network, input: Input::with_capacity(BUFFER_BYTES), request: Vec::new() }
    }

    /// Fetches the job's URL into its file, and notes in `attempt` where the time went.
    pub(super) fn fetch(
        &mut self,
        job: &Job,
        directory: &OutputDirectory,
        attempt: &mut Attempt,
        listener: Listener<'_>,
    ) -> Result<Saved, FetchError> {
        for _ in 0..=MAX_REDIRECTS {
            let url = attempt.redirected_to.as_ref().unwrap_or(&job.url);
            let answer = self.request(url, &mut attempt.phases)?;
            match redirect_target(url, &answer.head) {
                Ok(Some(target)) => {
                    log::debug!("{url} redirects to {target}");
                    attempt.redirected_to = Some(target);
                    self.discard(answer);
                }
                Ok(None) => {
                    return timed(&mut attempt.phases.transfer, || {
                        self.receive(answer, directory, &job.file_name, listener)
                    });
                }
                Err(error) => {
                    self.discard(answer);
                    return Err(error);
                }
            }
        }
        Err(FetchError::Redirects)
    }

    /// Sends the request over a kept connection or a new one, and reads the answer's head.
    fn request(&mut self, url: &Url, phases: &mut Phases) -> Result<Answer, FetchError> {
        self.request.clear();
        HeadWriter::request(
            &mut self.request,
            "GET",
            &url[Position::BeforePath..Position::AfterQuery],
        )
        .field("Host", &url[Position::BeforeHost..Position::AfterPort])
        .field("User-Agent", USER_AGENT)
        .field("Accept", "*/*")
        .field("Accept-Encoding", "identity")
        .finish();
        if let Some(connection) = self.network.kept.take(&url.origin()) {
            match timed(&mut phases.first_byte, || self.exchange(connection)) {
                Err(error) if self.input.data().is_empty() && is_stale(&error) => {
                    log::debug!("the server closed a kept connection: {url} is asked for anew");
                }
                result => return result,
            }
        }
        let connection = self.network.connector.connect(url, phases)?;
        timed(&mut phases.first_byte, || self.exchange(connection))
    }

    fn exchange(&mut self, mut connection: Connection) -> Result<Answer, FetchError> {
        self.input.consume(self.input.data().len());
        match connection.write_all(&self.request) {
            Ok(()) => self.read_head(connection),
            Err(error) if is_timeout(&error) => Err(self.timed_out(Phase::Send)),
            // A server that refuses a connection may answer and close before it has read anything.
            Err(error) if is_disconnect(&error) => {
                self.read_head(connection).map_err(|failure| match failure {
                    FetchError::Closed | FetchError::Broken(_) => FetchError::Send(error),
                    failure => failure,
                })
            }
            Err(error) => Err(FetchError::Send(error)),
        }
    }

    /// Reads the head of the answer that counts, past informational ones.
    fn read_head(&mut self, mut connection: Connection) -> Result<Answer, FetchError> {
        for _ in 0..=MAX_INFORMATIONAL {
            let head = self
                .input
                .read_response_head(&mut connection)
                .map_err(|error| self.no_head(error))?;
            // 101 is the last of its kind: what follows it is no HTTP.
            if !head.status().is_informational() || head.status() == Status::SWITCHING_PROTOCOLS {
                return Ok(Answer { head, connection });
            }
        }
        Err(FetchError::Unending)
    }

    /// Receives the body of an answer that is no redirect.
    fn receive(
        &mut self,
        mut answer: Answer,
        directory: &OutputDirectory,
        file_name: &str,
        listener: Listener<'_>,
    ) -> Result<Saved, FetchError> {
        let framing = match framing_if_usable(&answer.head) {
            Ok(framing) => framing,
            Err(error) => {
                self.discard(answer);
                return Err(error);
            }
        };
        listener.observer.began(
            listener.index,
            match framing {
                Framing::Length(bytes) => Some(bytes),
                Framing::Chunked | Framing::UntilClose => None,
            },
        );
        let mut part = PartFile::create(directory, file_name)?;
        let mut body = Body::new(framing);
        loop {
            match body.next_piece(&mut self.input, &mut answer.connection) {
                Ok(Some(piece)) => {
                    part.write(piece)?;
                    listener.observer.received(listener.index, piece.len());
                }
                Ok(None) => break,
                Err(BodyError::Io(error)) if is_timeout(&error) => {
                    return Err(self.timed_out(Phase::Body));
                }
                Err(error) => return Err(FetchError::Body(error)),
            }
        }
        let status = answer.head.status();
        self.keep_if_persistent(answer, framing);
        let (path, bytes) = part.complete()?;
        Ok(Saved { path, bytes, status })
    }

    /// Reads past a body that nobody wants, where that is cheaper than a new connection.
    fn discard(&mut self, mut answer: Answer) {
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
        let mut body = Body::new(framing);
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
        connection.set_read_timeout(self.network.connector.timeout()).ok()
    }

    /// Keeps the connection of an answer whose body has been read, unless either side ends it.
    fn keep_if_persistent(&self, answer: Answer, framing: Framing) {
        // What comes behind an answer, unasked, could be taken for the next one.
        if framing != Framing::UntilClose
            && self.input.data().is_empty()
            && asks_to_persist(answer.head.version(), &answer.head.fields())
        {
            self.network.kept.keep(answer.connection);
        }
    }

    fn timed_out(&self, phase: Phase) -> FetchError {
        FetchError::TimedOut { phase, timeout: self.network.connector.timeout() }
    }

    fn no_head(&self, error: HeadReadError<crate::http::ResponseHeadError>) -> FetchError {
        match error {
            HeadReadError::Malformed(error) => FetchError::Malformed(error),
            HeadReadError::Io(error) if is_timeout(&error) => self.timed_out(Phase::Answer),
            HeadReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                FetchError::Closed
            }
            HeadReadError::Io(error) => FetchError::Broken(error),
        }
    }
}

/// A kept connection ended in a way in which servers end idle ones. Only without a byte of an answer
/// is it certain that this is what happened (RFC 9112 §9.3.1).
fn is_stale(error: &FetchError) -> bool {
    match error {
        FetchError::Closed => true,
        FetchError::Send(error) | FetchError::Broken(error) => is_disconnect(error),
        _ => false,
    }
}

/// Where the answer sends the client; `None` where it is no redirect (RFC 9110 §15.4). `300` names
/// several places and `304` none, so neither is one.
fn redirect_target(url: &Url, head: &ResponseHead) -> Result<Option<Url>, FetchError> {
    if !matches!(
        head.status(),
        Status::MOVED_PERMANENTLY
            | Status::FOUND
            | Status::SEE_OTHER
            | Status::TEMPORARY_REDIRECT
            | Status::PERMANENT_REDIRECT
    ) {
        return Ok(None);
    }
    let location = head.fields().only("Location").ok_or(FetchError::NoLocation(head.status()))?;
    // Servers send UTF-8 as it is, which a URL holds percent-encoded.
    let location = percent_encode(location, CONTROLS).to_string();
    match url.join(&location) {
        Ok(target) if is_supported(&target) => Ok(Some(target)),
        Ok(target) => Err(FetchError::LocationScheme(target)),
        Err(error) => Err(FetchError::Location { location, error }),
    }
}

fn framing(head: &ResponseHead) -> Result<Framing, FetchError> {
    response_framing(Answering::Get, head.status(), head.version(), &head.fields())
        .map_err(FetchError::Framing)
}

/// How the body is framed that is to be saved: the whole content, as it is.
fn framing_if_usable(head: &ResponseHead) -> Result<Framing, FetchError> {
    let status = head.status();
    if status == Status::PARTIAL_CONTENT {
        return Err(FetchError::Partial);
    }
    if !status.is_success() {
        return Err(FetchError::Status(status));
    }
    let is_coding = |coding: &&[u8]| !coding.eq_ignore_ascii_case(b"identity");
    if let Some(coding) = head.fields().tokens("Content-Encoding").find(is_coding) {
        return Err(FetchError::Coded(coding.escape_ascii().to_string()));
    }
    framing(head)
}
