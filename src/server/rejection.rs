//! The answer to a connection that is one too many: whole, readable, and at once.
//!
//! It is written before a byte of the request is read. A fresh socket's send buffer takes it without
//! waiting, so the accept loop writes it; the gentle close is left to `lingering`.

use std::net::TcpStream;

use rustix::net::SendFlags;

use super::admission::{Rejection, Scope};
use super::lingering::Lingering;
use super::response::Response;
use crate::http::negotiation::MediaType;
use crate::http::{CloseReason, Persistence, Status, Version};

impl Rejection {
    /// `429` for the client's own limit (RFC 6585 §4), `503` for the server's (RFC 9110 §15.6.4): the
    /// first is in the client's hands, the second is not.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.scope {
            Scope::Client => Status::TOO_MANY_REQUESTS,
            Scope::Total => Status::SERVICE_UNAVAILABLE,
        }
    }

    fn explanation(&self) -> String {
        let Self { client, scope, limit } = self;
        let status = self.status();
        match scope {
            Scope::Client => format!(
                "{status}: your address {client} already holds {limit} connections, and a client may \
                 hold {limit} at a time. Close one, or wait for one to finish, and try again.\n"
            ),
            Scope::Total => format!(
                "{status}: all {limit} connections of this server are in use. Try again in a moment.\n"
            ),
        }
    }
}

/// Tells a client why it is not served, and closes its connection.
pub(super) fn reject(stream: TcpStream, rejection: &Rejection, lingering: &Lingering) {
    log::debug!("{}: rejected, {} {}", rejection.client, rejection.limit, rejection.scope);
    refuse_service(stream, rejection.status(), rejection.explanation(), lingering);
}

/// Answers a connection for which the system gives no thread.
pub(super) fn reject_without_thread(stream: TcpStream, lingering: &Lingering) {
    let status = Status::SERVICE_UNAVAILABLE;
    let explanation =
        format!("{status}: the server is short of resources. Try again in a moment.\n");
    refuse_service(stream, status, explanation, lingering);
}

fn refuse_service(stream: TcpStream, status: Status, explanation: String, lingering: &Lingering) {
    let response = Response::typed(status, MediaType::Plain, explanation).field("Retry-After", "1");
    let mut answer = Vec::with_capacity(512);
    response.write(&mut answer, Version::Http11, Persistence::Close(CloseReason::Refused));
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match rustix::net::send(&stream, &answer, flags) {
        Ok(_) => lingering.close(stream),
        Err(error) => log::debug!("cannot answer a rejected connection: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_says_which_limit_its_value_and_what_to_do() {
        let client = "127.0.0.9".parse().unwrap();
        let rejection = Rejection { client, scope: Scope::Client, limit: 12 };
        assert_eq!(rejection.status().code(), 429);
        let text = rejection.explanation();
        for part in ["127.0.0.9", "12 connections", "Close one", "try again"] {
            assert!(text.contains(part), "{text}");
        }
        let rejection = Rejection { client, scope: Scope::Total, limit: 60 };
        assert_eq!(rejection.status().code(), 503);
        let text = rejection.explanation();
        for part in ["all 60 connections", "Try again"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
