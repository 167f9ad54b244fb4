//! A connection over TLS, for unit tests.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion};

use super::transport::Transport;
use crate::net::{Deadline, Input, ReadTimeout};
use crate::server::tls::session::TlsSession;
use crate::server::tls::test_configs::configs;

/// Longer than a test may take.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// The client's end of a connection, and the server's.
pub(super) fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (peer, listener.accept().unwrap().0)
}

pub(super) fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::clone(config), name).unwrap()
}

/// A connection after its handshake, and the client's end.
pub(super) fn encrypted<'c>(
    stream: &'c TcpStream,
    peer: TcpStream,
    version: &'static SupportedProtocolVersion,
) -> (Transport<'c>, StreamOwned<ClientConnection, TcpStream>) {
    let (server, client_config) = configs(version);
    let mut peer = StreamOwned::new(client(&client_config), peer);
    let shaking = thread::spawn(move || {
        while peer.conn.is_handshaking() {
            peer.conn.complete_io(&mut peer.sock).unwrap();
        }
        peer
    });
    let mut transport = Transport::new(stream, None, ReadTimeout::default());
    let mut input = Input::with_capacity(64);
    let session = TlsSession::new(server).unwrap();
    transport.encrypt(session, &mut input, Deadline::after(LONG)).unwrap();
    (transport, shaking.join().unwrap())
}
