//! Lingering close: the last response on a connection, and a close that does not destroy it.
//!
//! Closing a socket that holds unread input makes the kernel send RST, and RST makes the peer's kernel
//! discard the response if the peer has not read it yet. So the sending half is closed first, and
//! further input is read and discarded for a while (RFC 9112 §9.6).
//!
//! A rejected connection gets its response once the head of its request has come: clients discard a
//! response that comes before the request, and a response to `HEAD` has no content. Without a request,
//! the response is sent after one second.
//!
//! ```text
//! rejected ─▶ PendingRequest ─▶ response sent ─▶ LingeringSocket ─▶ closed
//!                          served and ended ───────────▲
//! ```
//!
//! If the head comes with the connection, the response is sent at once, and if the client closes after this
//! request, the connection is closed at once as well. All else happens outside the clients' slots, in one
//! thread. The files, lowest first:
//!
//! ```text
//! encoded_response  a response as bytes
//! input             reading without blocking
//! lingering_socket  one socket, until the peer closes it
//! pending_request   one rejected connection that waits for its request
//! sockets           all of them, in order of arrival
//! poller            waits for input on any of them
//! worker            the thread's loop
//! closer            the interface, and the bound on the number of sockets
//! ```

pub(in crate::server) mod closer;
pub(in crate::server) mod encoded_response;
mod input;
mod lingering_socket;
pub(in crate::server) mod pending_request;
mod poller;
mod sockets;
mod worker;

#[cfg(test)]
mod test_connection;
