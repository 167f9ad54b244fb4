//! The bytes of HTTP over a socket, encrypted or not.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};

/// A client's end of a connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    /// The handshake happens with the first read or write.
    tls: Option<Box<ClientConnection>>,
}

impl Wire {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }

    /// Continues over TLS, as a client that asks for `localhost`.
    pub(crate) fn start_tls(&mut self, config: Arc<ClientConfig>) {
        // What a handshake sends last and the first request go out at once, as from other clients.
        self.stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        self.tls = Some(Box::new(ClientConnection::new(config, name).unwrap()));
    }

    pub(crate) fn tls(&mut self) -> &mut ClientConnection {
        self.tls.as_mut().expect("the connection is over TLS")
    }

    /// Makes the handshake, and reads the server's tickets if they come with it.
    pub(crate) fn shake_hands(&mut self) -> io::Result<()> {
        let (tls, stream) =
            (self.tls.as_mut().expect("the connection is over TLS"), &mut self.stream);
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(stream)?;
        }
        Ok(())
    }

    /// What goes over the network for these bytes, and for all that was written before.
    pub(crate) fn records_of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let tls = self.tls();
        tls.writer().write_all(bytes).unwrap();
        let mut records = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut records).unwrap();
        }
        records
    }

    /// Says that nothing more is sent: with `close_notify`, over TLS.
    pub(crate) fn finish_sending(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.stream.shutdown(Shutdown::Write) };
        tls.send_close_notify();
        while tls.wants_write() {
            tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}

impl Read for Wire {
    /// Over TLS, an end without `close_notify` is an error.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => Stream::new(&mut **tls, &mut self.stream).read(buffer),
            None => self.stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => Stream::new(&mut **tls, &mut self.stream).write(bytes),
            None => self.stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => Stream::new(&mut **tls, &mut self.stream).flush(),
            None => self.stream.flush(),
        }
    }
}
