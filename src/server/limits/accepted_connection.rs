//! A connection that was accepted and is not served yet.

use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::client::Client;
use crate::net::Input;

/// A connection that was accepted and is not served yet.
#[derive(Debug)]
pub(crate) struct AcceptedConnection {
    pub(crate) stream: Arc<TcpStream>,
    /// The address at the other end: the client's, or that of a proxy.
    pub(crate) peer: IpAddr,
    /// `None` if the peer is a proxy and its PROXY header has not been read.
    pub(crate) client: Option<Client>,
    pub(crate) accepted_at: Instant,
    /// Bytes that were received after the PROXY header, once that has been read.
    pub(crate) received: Option<Input>,
}

impl AcceptedConnection {
    /// The client by which it is counted; the proxy while the client is not known.
    pub(super) fn key(&self) -> IpAddr {
        self.client.map_or(self.peer, |client| client.key)
    }
}
