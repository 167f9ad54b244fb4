//! A connection that was accepted and is not served yet.

use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::client::Client;
use crate::net::Input;
use crate::server::tls::session::TlsSession;

/// What the port of a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Files and the status, over TLS if the server has certificates.
    Files,
    /// Redirects to the other port, over plain HTTP.
    Redirect,
}

/// A connection that was accepted and is not served yet.
#[derive(Debug)]
pub(crate) struct AcceptedConnection {
    pub(crate) stream: Arc<TcpStream>,
    pub(crate) purpose: Purpose,
    /// The address at the other end: the client's, or that of a proxy.
    pub(crate) peer: IpAddr,
    /// `None` if the peer is a proxy and its PROXY header has not been read.
    pub(crate) client: Option<Client>,
    pub(crate) accepted_at: Instant,
    /// The TLS session, once the handshake is complete.
    pub(crate) session: Option<TlsSession>,
    /// Bytes that were received after the PROXY header, once that has been read, and decrypted if there is a session.
    pub(crate) received: Option<Input>,
}

/// The connections that wait for a slot together: those of one client, apart from those that its limit does not
/// hold for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LineKey {
    /// The client by which they are counted; the proxy while the client is not known.
    pub(crate) client: IpAddr,
    /// False for exempt connections, and while the client is not known.
    pub(crate) has_limit: bool,
}

impl AcceptedConnection {
    /// The line in which it waits.
    pub(super) fn line(&self) -> LineKey {
        match self.client {
            Some(client) => LineKey { client: client.key, has_limit: !client.exempt },
            None => LineKey { client: self.peer, has_limit: false },
        }
    }
}
