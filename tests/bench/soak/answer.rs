//! A connection to the server and its responses, which are read by the length or chunks that they announce,
//! independently of what is expected.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use httparse::Status;
use socket2::{Domain, Socket, Type};

use super::server::HOST;

/// Longer than any successful operation takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) content: Vec<u8>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The server closes the connection after it.
    pub(crate) fn is_last(&self) -> bool {
        self.field("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// One connection, with received bytes that are not consumed yet.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
    has_answered: bool,
}

/// A kept connection was closed before the next response, as a server may at any time (RFC 9112 §9.5).
#[derive(Debug)]
pub(crate) struct Reclaimed;

impl fmt::Display for Reclaimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed between two requests")
    }
}

impl Error for Reclaimed {}

impl Connection {
    pub(crate) fn open(host: [u8; 4], to: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((host, 0)).into())?;
        socket.connect(&to.into())?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new(), has_answered: false })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = self.stream.write_all(bytes);
        sent.map_err(|error| self.explain(error))
    }

    /// Classifies an error at the beginning of a response or request.
    fn explain(&self, error: io::Error) -> io::Error {
        let is_closed = matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        );
        if is_closed && self.has_answered && self.received.is_empty() {
            return io::Error::other(Reclaimed);
        }
        error
    }

    /// Sends a request without content; `fields` are whole lines.
    pub(crate) fn ask(&mut self, method: &str, target: &str, fields: &str) -> io::Result<()> {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n").as_bytes())
    }

    pub(crate) fn get(&mut self, target: &str) -> io::Result<()> {
        self.ask("GET", target, "")
    }

    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        self.answer_to(true)
    }

    /// Reads one response, without content if the request was HEAD.
    pub(crate) fn answer_to(&mut self, has_content: bool) -> io::Result<Answer> {
        let mut answer = loop {
            if let Some((length, answer)) = parse_head(&self.received)? {
                self.received.drain(..length);
                break answer;
            }
            self.fill().map_err(|error| self.explain(error))?;
        };
        self.has_answered = true;
        if has_content && answer.status != 304 {
            self.content_of(&mut answer)?;
        }
        Ok(answer)
    }

    /// Reads the content of a response whose head has been read.
    pub(crate) fn content_of(&mut self, answer: &mut Answer) -> io::Result<()> {
        answer.content = match answer.field("Content-Length") {
            Some(length) => self.take(length.parse().map_err(io::Error::other)?)?,
            None => self.chunks()?,
        };
        Ok(())
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let parsed = httparse::parse_chunk_size(&self.received);
            let parsed = parsed.map_err(|_| io::Error::other("a chunk without a size"))?;
            let Status::Complete((line, size)) = parsed else {
                self.fill()?;
                continue;
            };
            self.received.drain(..line);
            content.extend(self.take(usize::try_from(size).map_err(io::Error::other)?)?);
            if self.take(2)? != b"\r\n" {
                return Err(io::Error::other("a chunk that is longer than its size"));
            }
            if size == 0 {
                return Ok(content);
            }
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < length {
            self.fill()?;
        }
        let rest = self.received.split_off(length);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    /// Receives up to this number of bytes without consuming them.
    pub(crate) fn receive_piece(&mut self, most: usize) -> io::Result<()> {
        let held = self.received.len();
        self.received.resize(held + most, 0);
        let count = self.stream.read(&mut self.received[held..])?;
        self.received.truncate(held + count);
        Ok(())
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.received.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }

    /// Expects the end of the stream.
    pub(crate) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.received.is_empty() && self.stream.read(&mut [0])? == 0)
    }

    /// Closes with RST.
    pub(crate) fn reset(self) -> io::Result<()> {
        Socket::from(self.stream).set_linger(Some(Duration::ZERO))
    }
}

/// The head of a response and its length, once complete.
fn parse_head(received: &[u8]) -> io::Result<Option<(usize, Answer)>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let Status::Complete(length) = response.parse(received).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let fields = response.headers.iter().map(|field| (field.name.to_owned(), text(field.value)));
    let status = response.code.unwrap_or(0);
    Ok(Some((length, Answer { status, fields: fields.collect(), content: Vec::new() })))
}
