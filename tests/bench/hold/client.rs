//! Well-behaved and other clients, from any address of the loopback network.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};
use socket2::{Domain, Socket, Type};

/// Longer than any successful operation takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Further fields of its requests, each with its line ending.
    pub(crate) fields: String,
    buffer: Vec<u8>,
    tls: Option<Box<ClientConnection>>,
}

impl Client {
    pub(crate) fn connect(host: [u8; 4], to: SocketAddr) -> io::Result<Self> {
        Self::connect_with(host, to, |_| Ok(()))
    }

    /// With socket options that must be set before connecting.
    pub(crate) fn connect_with(
        host: [u8; 4],
        to: SocketAddr,
        prepare: impl FnOnce(&Socket) -> io::Result<()>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // A closed connection keeps its port for a minute, and servers must be able to listen on it.
        socket.set_reuse_address(true)?;
        prepare(&socket)?;
        socket.bind(&SocketAddr::from((host, 0)).into())?;
        socket.connect(&to.into())?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, fields: String::new(), buffer: Vec::new(), tls: None })
    }

    /// Continues over TLS; the handshake happens with the first request.
    pub(crate) fn over_tls(mut self, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        self.tls = Some(Box::new(session));
        Ok(self)
    }

    /// Sends bytes before a request, such as a PROXY header.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub(crate) fn ask(&mut self, target: &str) -> io::Result<()> {
        let fields = &self.fields;
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        match &mut self.tls {
            Some(tls) => Stream::new(&mut **tls, &mut self.stream).write_all(request.as_bytes()),
            None => self.stream.write_all(request.as_bytes()),
        }
    }

    /// Reads once, decrypted.
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => Stream::new(&mut **tls, &mut self.stream).read(piece),
            None => self.stream.read(piece),
        }
    }

    /// Sends a request and reads one response.
    pub(crate) fn get(&mut self, target: &str) -> io::Result<Vec<u8>> {
        self.ask(target)?;
        self.answer()
    }

    /// Reads one response.
    pub(crate) fn answer(&mut self) -> io::Result<Vec<u8>> {
        self.buffer.clear();
        let mut piece = [0; 16 * 1024];
        loop {
            if let Some(length) = whole_length(&self.buffer)
                && self.buffer.len() >= length
            {
                return Ok(self.buffer.clone());
            }
            match self.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.buffer.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// Sends a request that is to be rejected, or to wait for a slot: true unless it is served within a second.
    pub(crate) fn is_denied(&mut self, target: &str, status: u16) -> io::Result<bool> {
        self.stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        match self.get(target) {
            Ok(answer) => Ok(status_of(&answer) == status),
            Err(error) => Ok(error.kind() == io::ErrorKind::WouldBlock),
        }
    }

    /// True if a response has begun, or the connection has ended.
    pub(crate) fn is_answered(&self) -> bool {
        self.stream.set_nonblocking(true).expect("it is a socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("it is a socket");
        !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// How many bytes of HTTP have come of a response that is not whole.
    pub(crate) fn received(&self) -> usize {
        self.buffer.len()
    }

    /// Expects the end of the stream; over TLS, with `close_notify`.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.read(&mut [0]).is_ok_and(|count| count == 0)
    }

    /// Closes with RST.
    pub(crate) fn reset(self) -> io::Result<()> {
        Socket::from(self.stream).set_linger(Some(Duration::ZERO))
    }
}

/// The length of a response including its head, once the head is complete.
fn whole_length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).ok()?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    Some(head + length.parse::<usize>().ok()?)
}

/// True if a response is the last one on its connection.
pub(crate) fn is_closing(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0);
    answer[..head].split(|byte| *byte == b'\n').any(|line| line.starts_with(b"Connection: close"))
}

/// The status of a response; 0 if there is none.
pub(crate) fn status_of(answer: &[u8]) -> u16 {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
