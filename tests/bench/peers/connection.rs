//! A client's connection, from any address of the loopback network.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use socket2::{Domain, Socket, Type};

/// Longer than any response takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes that are read at once.
const READ_BYTES: usize = 4096;

/// More than the head of a response has.
const MOST_FIELDS: usize = 32;

/// A connection, and what was read from it beyond the last response.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// The end of a response's head, its status, and the length of its body.
struct Head {
    length: usize,
    status: u16,
    body_length: usize,
}

impl Connection {
    pub(crate) fn open(source: Ipv4Addr, to: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
        socket.connect(&to.into())?;
        socket.set_tcp_nodelay(true)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new() })
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)
    }

    /// Sends a request for `path`, and reads the response; returns its status.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<u16> {
        self.send(&request(path, ""))?;
        self.response()
    }

    /// Reads to the end of a response; returns its status.
    pub(crate) fn response(&mut self) -> io::Result<u16> {
        loop {
            if let Some(status) = self.receive()? {
                return Ok(status);
            }
        }
    }

    /// Reads once; returns the status if the response is whole with that.
    pub(crate) fn receive(&mut self) -> io::Result<Option<u16>> {
        self.received.reserve(READ_BYTES);
        let count = rustix::io::read(&self.stream, spare_capacity(&mut self.received))?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = head(&self.received)? else { return Ok(None) };
        let whole = head.length + head.body_length;
        if self.received.len() < whole {
            return Ok(None);
        }
        self.received.drain(..whole);
        Ok(Some(head.status))
    }

    /// Sends a request, and reads the status of the response alone. The connection then serves to hold a
    /// place at the server.
    pub(crate) fn begin(&mut self, path: &str) -> io::Result<u16> {
        self.send(&request(path, ""))?;
        let mut line = [0; "HTTP/1.1 200".len()];
        self.stream.read_exact(&mut line)?;
        let digits = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        let status = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        status.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Expects that the server closes in order after the response.
    pub(crate) fn expect_end(&mut self) -> io::Result<()> {
        if !self.received.is_empty() || self.stream.read(&mut [0])? != 0 {
            return Err(io::Error::other("bytes after the response"));
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// A request; `further` are lines of further fields.
pub(crate) fn request(path: &str, further: &str) -> Vec<u8> {
    format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\n{further}\r\n").into_bytes()
}

/// Parses the head of a response; `None` if it is not complete.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(bytes).map_err(io::Error::other)?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let field = response
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))
        .and_then(|field| str::from_utf8(field.value).ok()?.parse().ok());
    let body_length = field.ok_or_else(|| io::Error::other("no length of the body"))?;
    let status = response.code.expect("a complete head has a status");
    Ok(Some(Head { length, status, body_length }))
}
