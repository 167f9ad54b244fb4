//! What precedes the first request of an admitted connection to a server that has certificates.

use std::io;
use std::time::Duration;

use super::admit::wait_or_reject;
use super::request_reader::first_head_deadline;
use super::requests::Answers;
use super::tls_handshake::{Encryption, encrypt};
use super::transport::Transport;
use crate::http::RequestError;
use crate::net::{Deadline, Input, is_timeout};
use crate::server::limits::accepted_connection::{AcceptedConnection, Purpose};
use crate::server::limits::connection_entry::ConnectionEntry;
use crate::server::limits::phase::Phase;
use crate::server::limits::rejection::Rejection;
use crate::server::service::Service;

/// Where connections may wait for a slot, how long one that has sent nothing may stay in the reserve.
pub(super) const RESERVE_SILENCE: Duration = Duration::from_millis(100);

/// Why a connection ends before its first request.
#[derive(Debug)]
pub(super) enum NotBegun {
    /// Nothing has come in the time of a connection in the reserve, whose place another one may need.
    Silent,
    /// The peer has gone or sent nothing in time, or the slot was taken.
    Gone,
    /// The handshake has begun and failed.
    Failed(io::Error),
}

/// Performs the handshake of an admitted connection, if its server has certificates and it has not been performed yet.
/// While the handshake lasts, the connection is in [`Phase::Reading`], as it is while its requests come.
pub(super) fn begin(
    service: &Service,
    entry: &ConnectionEntry,
    purpose: Purpose,
    transport: &mut Transport<'_>,
    input: &mut Input,
) -> Result<Answers, NotBegun> {
    let acceptor = match (&service.tls, purpose) {
        (Some(acceptor), Purpose::Files) if transport.session.is_none() => acceptor,
        _ => return Ok(Answers::of(purpose)),
    };
    let deadline = first_head_deadline(service, entry);
    if input.data().is_empty() {
        read_beginning(service, entry, transport, input, deadline)?;
    }
    if !entry.enter(Phase::Reading) {
        return Err(NotBegun::Gone);
    }
    let encryption = encrypt(acceptor, transport, input, deadline);
    if !entry.enter(Phase::Fresh) {
        return Err(NotBegun::Gone);
    }
    match encryption.map_err(NotBegun::Failed)? {
        Encryption::Tls => Ok(Answers::of(purpose)),
        Encryption::Missing => Ok(Answers::Refusal(RequestError::Unencrypted)),
    }
}

/// Waits for the first bytes. A connection in the reserve is not waited for if it can wait elsewhere.
fn read_beginning(
    service: &Service,
    entry: &ConnectionEntry,
    transport: &mut Transport<'_>,
    input: &mut Input,
    deadline: Deadline,
) -> Result<(), NotBegun> {
    let is_reserved = entry.reserved.is_some();
    let deadline = if is_reserved && service.queue.is_some() {
        deadline.min(Deadline::after(RESERVE_SILENCE))
    } else {
        deadline
    };
    match input.fill(&mut transport.until(deadline)) {
        Ok(0) => Err(NotBegun::Gone),
        Ok(_) => Ok(()),
        Err(error) if is_timeout(&error) && is_reserved => Err(NotBegun::Silent),
        Err(_) => Err(NotBegun::Gone),
    }
}

impl NotBegun {
    /// Closes the connection, whose slot has been released, or has it wait for another slot than that of the reserve.
    pub(super) fn close(
        self,
        service: &Service,
        accepted: AcceptedConnection,
        reserved: Option<Rejection>,
    ) {
        let peer = accepted.peer;
        if let (Self::Silent, Some(rejection)) = (&self, reserved) {
            return wait_or_reject(service, accepted, &rejection);
        }
        if let Some(rejection) = &reserved {
            // It is counted, though it cannot be told.
            service.record_rejection(rejection);
        }
        if let Self::Failed(error) = self {
            service.counters.handshake_failures.increment();
            log::debug!("{peer}: no TLS handshake: {error}");
            // The last bytes may be an alert.
            service.lingering.close(accepted.stream);
        }
    }
}
