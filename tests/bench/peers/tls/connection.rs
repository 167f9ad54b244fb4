//! A client's connection over TLS.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

/// Longer than any response takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The end of the file that is requested.
const CONTENT: &[u8] = b"Hello, client\n";

/// A connection whose handshake happens with the first request.
pub(crate) struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Connection {
    pub(crate) fn open(to: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Self(StreamOwned::new(session, stream)))
    }

    /// Requests the file, and reads the response.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<()> {
        self.0.write_all(&super::super::connection::request(path, ""))?;
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        while !answer.ends_with(CONTENT) {
            match self.0.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => answer.extend_from_slice(&piece[..count]),
            }
        }
        Ok(())
    }

    /// Requests the file and that the connection is closed; reads to the end, which must be announced.
    pub(crate) fn get_last(&mut self, path: &str) -> io::Result<()> {
        self.0.write_all(&super::super::connection::request(path, "Connection: close\r\n"))?;
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer)?;
        if answer.ends_with(CONTENT) { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// True if the session of an earlier connection was resumed.
    pub(crate) fn is_resumed(&self) -> bool {
        self.0.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The version and the cipher suite.
    pub(crate) fn suite(&self) -> String {
        let suite = self.0.conn.negotiated_cipher_suite().map(|suite| suite.suite());
        format!("{:?}, {suite:?}", self.0.conn.protocol_version())
            .replace("Some(", "")
            .replace(')', "")
    }
}
