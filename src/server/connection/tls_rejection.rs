//! The response to a connection that is not served, over TLS: handshake, head of the request, response, close.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::proxy_header::read_proxy_header;
use super::request_reader::new_input;
use super::tls_handshake::{Encryption, encrypt};
use super::transport::Transport;
use crate::http::RequestScan;
use crate::net::{Deadline, Input, ReadTimeout, is_timeout};
use crate::server::limits::lingering::pending_request::{HEAD_TIMEOUT, RequestProgress};
use crate::server::limits::tls_rejections::rejections::{TlsRejection, TlsRejector};

/// Sends the response, and closes the connection. A peer that does not speak TLS gets the response as it is.
pub(super) fn answer(rejector: &TlsRejector<'_>, mut rejection: TlsRejection) {
    let (peer, stream) = (rejection.accepted.peer, Arc::clone(&rejection.accepted.stream));
    match send_encrypted(rejector, &mut rejection) {
        Ok(Sent::Encrypted) => rejector.lingering.close(stream),
        Ok(Sent::Nothing(received)) => {
            let progress = RequestProgress::after(received.data());
            rejector.lingering.answer(stream, progress, rejection.response.plain);
        }
        // What was sent may be an alert.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            log::debug!("{peer}: rejected without a response: {error}");
            rejector.lingering.close(stream);
        }
        Err(error) => log::debug!("{peer}: rejected without a response: {error}"),
    }
}

enum Sent {
    Encrypted,
    /// The peer does not speak TLS, and has sent this.
    Nothing(Input),
}

fn send_encrypted(rejector: &TlsRejector<'_>, rejection: &mut TlsRejection) -> io::Result<Sent> {
    let stream = Arc::clone(&rejection.accepted.stream);
    let deadline = Deadline::at(rejector.deadline);
    stream.set_write_timeout(Some(deadline.remaining()?))?;
    let session = rejection.accepted.session.take();
    let mut transport = Transport::new(&stream, session, ReadTimeout::default());
    let is_proxied = rejection.accepted.client.is_none();
    let received = rejection.accepted.received.take();
    let must_read_proxy_header = is_proxied && received.is_none();
    let mut input = received.unwrap_or_else(new_input);
    if must_read_proxy_header {
        read_proxy_header(&mut transport, &mut input, deadline)?;
    }
    if transport.session.is_none() {
        if input.data().is_empty() && input.fill(&mut transport.until(deadline))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let shake_hands = || encrypt(rejector.acceptor, &mut transport, &mut input, deadline);
        let encryption = rejector.within_share(shake_hands);
        if encryption.ok_or(io::ErrorKind::TimedOut)?? == Encryption::Missing {
            return Ok(Sent::Nothing(input));
        }
    }
    let is_head_request = read_head(&mut transport, &mut input, deadline)?;
    let response = &rejection.response.encrypted;
    let bytes = if is_head_request { response.head() } else { response.whole() };
    transport.send_last(bytes)?;
    Ok(Sent::Encrypted)
}

/// Reads a head, or what has come of it in a second; true if the request is `HEAD`.
fn read_head(
    transport: &mut Transport<'_>,
    input: &mut Input,
    deadline: Deadline,
) -> io::Result<bool> {
    let mut scan = RequestScan::default();
    let mut is_complete = scan.advance(input.data());
    let deadline = deadline.min(Deadline::at(Instant::now() + HEAD_TIMEOUT));
    while !is_complete {
        input.consume(input.data().len());
        match input.fill(&mut transport.until(deadline)) {
            Ok(0) => break,
            Ok(_) => is_complete = scan.advance(input.data()),
            Err(error) if is_timeout(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(scan.is_head_request())
}
