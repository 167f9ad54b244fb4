//! A raw connection to a server.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use http_concurrent::http::{Framing, ResponseHead, response_framing};
use http_concurrent::net::{Body, BodyError, Input};
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Socket, Type};

use super::PATIENCE;
use super::wire::Wire;

/// A received response.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The only field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self
            .fields
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    /// The names of all fields, in lower case.
    pub(crate) fn field_names(&self) -> Vec<String> {
        self.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The head without the fields that change over time.
    pub(crate) fn head(&self) -> (u16, Vec<(String, String)>) {
        let fields = self
            .fields
            .iter()
            .filter(|(name, _)| name != "Date" && name != "RateLimit")
            .cloned()
            .collect();
        (self.status, fields)
    }
}

pub(crate) struct Conversation {
    wire: Wire,
    input: Input,
}

impl Conversation {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { wire: Wire::plain(stream), input: Input::with_capacity(64 * 1024) }
    }

    /// Continues over TLS. The handshake happens with the first read or write.
    pub(crate) fn over_tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.wire.start_tls(config);
        self
    }

    /// The state of a connection over TLS.
    pub(crate) fn tls(&mut self) -> &mut ClientConnection {
        self.wire.tls()
    }

    pub(crate) fn shake_hands(&mut self) -> io::Result<()> {
        self.wire.shake_hands()
    }

    /// The records that carry these bytes, which the caller sends over [`Conversation::stream`].
    pub(crate) fn records_of(&mut self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        self.wire.records_of(bytes.as_ref())
    }

    /// A connection from one address to another.
    pub(crate) fn between(source: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        // A closed connection keeps its port for a minute, and servers must be able to listen on it.
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
        Self::over(socket, address)
    }

    /// A connection with the smallest receive buffer, so that slow reading soon blocks the server.
    pub(crate) fn with_a_small_window(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        Self::over(socket, address)
    }

    fn over(socket: Socket, address: SocketAddr) -> Self {
        socket.connect(&address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::new(stream)
    }

    /// The socket, beneath TLS.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.wire.stream
    }

    /// What the server sends, decrypted.
    pub(crate) fn incoming(&mut self) -> &mut impl Read {
        &mut self.wire
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.wire.stream.local_addr().unwrap()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).unwrap();
        self
    }

    /// Sends bytes to a server that may have closed.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.write_all(bytes.as_ref())?;
        self.wire.flush()
    }

    pub(crate) fn get(&mut self, target: &str) -> Reply {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).reply()
    }

    pub(crate) fn reply(&mut self) -> Reply {
        self.try_reply().expect("a whole response")
    }

    pub(crate) fn reply_to_head(&mut self) -> Reply {
        let Ok(reply) = self.receive(|_| Framing::Length(0)) else {
            unreachable!("it has no body")
        };
        reply
    }

    /// The response to a request other than HEAD, or how much of it was received.
    pub(crate) fn try_reply(&mut self) -> Result<Reply, BodyError> {
        self.receive(|head| response_framing(head.status(), &head.fields()).unwrap())
    }

    /// The response, or `None` if the server closes or resets the connection without one.
    pub(crate) fn reply_unless_closed(&mut self) -> Option<Reply> {
        match self.input.fill(&mut self.wire) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(self.reply()),
        }
    }

    fn receive(
        &mut self,
        framing_of: impl FnOnce(&ResponseHead) -> Framing,
    ) -> Result<Reply, BodyError> {
        let head = self.input.read_response_head(&mut self.wire).expect("a response's head");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = head.fields().iter().map(|(n, v)| (text(n), text(v))).collect();
        let (mut body, mut content) = (Body::of_response(framing_of(&head)), Vec::new());
        while let Some(piece) = body.next_piece(&mut self.input, &mut self.wire)? {
            content.extend_from_slice(piece);
        }
        Ok(Reply { status: head.status().code(), fields, body: content })
    }

    /// All responses until the server closes, without a reset; over TLS, with `close_notify`. None of them
    /// answers `HEAD`.
    pub(crate) fn replies(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        while !self.input.data().is_empty()
            || self.input.fill(&mut self.wire).expect("an orderly end") > 0
        {
            replies.push(self.reply());
        }
        replies
    }

    /// Waits until the response has begun.
    pub(crate) fn wait_for_response(&mut self) -> &mut Self {
        assert_ne!(self.input.fill(&mut self.wire).unwrap(), 0, "the response has begun");
        self
    }

    /// Expects the end of the stream, without a reset or further bytes; over TLS, with `close_notify`.
    pub(crate) fn expect_end(&mut self) {
        let mut rest = self.input.data().to_vec();
        self.wire.read_to_end(&mut rest).expect("an orderly end");
        assert_eq!(rest, b"", "nothing follows");
    }

    pub(crate) fn finish_sending(&mut self) -> &mut Self {
        self.try_finish_sending().unwrap();
        self
    }

    /// The same to a server that may have closed.
    pub(crate) fn try_finish_sending(&mut self) -> io::Result<()> {
        self.wire.finish_sending()
    }

    /// Closes with RST instead of FIN.
    pub(crate) fn reset(self) {
        let socket = socket2::Socket::from(self.wire.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}
