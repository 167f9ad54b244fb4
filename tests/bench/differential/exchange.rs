//! One case against one server: everything is sent at once, then writing is shut down, and the responses
//! until the server closes are reduced to a [`Reaction`].

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http_concurrent::http::{Framing, response_framing};
use http_concurrent::net::{Body, Input};
use socket2::{Domain, Socket, Type};

use super::site::Site;

/// Far longer than a response takes, and shorter than any server waits for a request.
const PATIENCE: Duration = Duration::from_secs(4);

/// The properties of a response that are compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The content sent with a success status, or without a status.
    pub(crate) content: String,
    /// The response announces the close.
    pub(crate) closes: bool,
}

impl Answer {
    /// The response to the request after the case: both sides agree on where the case ended.
    pub(crate) fn is_last(&self) -> bool {
        self.status == 200 && self.content == "last.txt"
    }

    /// Content was sent for the request.
    pub(crate) fn is_granted(&self) -> bool {
        self.status < 400
    }

    /// The server parsed it as a request, even if it refuses that.
    pub(crate) fn is_understood(&self) -> bool {
        !matches!(self.status, 400 | 408 | 411 | 413 | 414 | 417 | 431 | 501 | 505)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_last() {
            return f.write_str("LAST");
        }
        match self.status {
            0 => f.write_str("HTTP/0.9")?,
            status => write!(f, "{status}")?,
        }
        if self.content.is_empty() { Ok(()) } else { write!(f, " {}", self.content) }
    }
}

/// All responses of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reaction {
    pub(crate) answers: Vec<Answer>,
    /// Malformed or missing end of the responses.
    pub(crate) fault: Option<&'static str>,
}

impl fmt::Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self.answers.iter().map(Answer::to_string).collect();
        words.extend(self.fault.map(|fault| format!("({fault})")));
        if words.is_empty() {
            words.push("nothing".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}

/// Sends `bytes` and collects the reaction.
///
/// # Errors
/// No connection was to be had.
pub(crate) fn exchange(to: SocketAddr, bytes: &[u8], site: &Site) -> io::Result<Reaction> {
    let mut stream = connect(to)?;
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut received = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    let fault = loop {
        match stream.read(&mut piece) {
            Ok(0) => break None,
            Ok(count) => received.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break None,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break Some("no end"),
        }
    };
    let mut reaction = read(&received, site);
    reaction.fault = reaction.fault.or(fault);
    Ok(reaction)
}

/// A connection from an address that was not used recently: a closed one keeps its port for a minute.
fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    static CLIENTS: AtomicU32 = AtomicU32::new(0);
    let client = 0x7f01_0000 + CLIENTS.fetch_add(1, Ordering::Relaxed) % 0x00fe_0000;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Otherwise no server could listen on that port, on any address.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::from_bits(client), 0)).into())?;
    socket.connect(&to.into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn read(received: &[u8], site: &Site) -> Reaction {
    let mut reaction = Reaction::default();
    let mut rest = received;
    while !rest.is_empty() {
        if !rest.starts_with(b"HTTP/") {
            let content = site.name_of(rest).unwrap_or_else(|| "page".to_owned());
            reaction.answers.push(Answer { status: 0, content, closes: true });
            break;
        }
        match read_answer(rest, site) {
            Ok((answer, length)) => {
                rest = &rest[length..];
                // Interim responses are ignored: RFC 9110 §15.2.
                if answer.status >= 200 {
                    reaction.answers.push(answer);
                }
            }
            Err(fault) => {
                reaction.fault = Some(fault);
                break;
            }
        }
    }
    let earlier = reaction.answers.split_last().map_or(&[][..], |(_, earlier)| earlier);
    if earlier.iter().any(|answer| answer.closes) {
        reaction.fault = Some("an answer behind the last");
    }
    reaction
}

/// The response at the beginning of `received`, and its length.
fn read_answer(received: &[u8], site: &Site) -> Result<(Answer, usize), &'static str> {
    let (mut stream, mut input) = (received, Input::with_capacity(64 * 1024));
    let head = input.read_response_head(&mut stream).map_err(|_| "a broken head")?;
    let fields = head.fields();
    let status = head.status().code();
    let framing =
        response_framing(head.status(), &fields).map_err(|_| "a contradicting framing")?;
    let at_body = received.len() - stream.len() - input.data().len();
    let closes = fields.tokens("Connection").any(|token| token.eq_ignore_ascii_case(b"close"));
    // Only the server knows whether it answered a HEAD: then another response follows at once, or
    // nothing. No file begins like a response.
    let rest = &received[at_body..];
    if framing != Framing::Length(0) && (rest.is_empty() || rest.starts_with(b"HTTP/1.1 ")) {
        let length = match framing {
            Framing::Length(length) => usize::try_from(length).ok(),
            _ => None,
        };
        let name = length.and_then(|length| site.name_by_length(length)).unwrap_or("?");
        let content = if status < 300 { format!("head of {name}") } else { String::new() };
        return Ok((Answer { status, content, closes }, at_body));
    }
    let mut body = Body::of_response(framing);
    let mut content = Vec::new();
    while let Some(piece) =
        body.next_piece(&mut input, &mut stream).map_err(|_| "a content cut short")?
    {
        content.extend_from_slice(piece);
    }
    let length = received.len() - stream.len() - input.data().len();
    let content = match status {
        206 if fields.first("Content-Type").is_some_and(|t| t.starts_with(b"multipart/")) => {
            let parts = content.windows(14).filter(|w| w.eq_ignore_ascii_case(b"Content-Range:"));
            format!("{} parts", parts.count())
        }
        200..204 | 206 => site.name_of(&content).unwrap_or_else(|| "page".to_owned()),
        _ => String::new(),
    };
    Ok((Answer { status, content, closes }, length))
}

/// The entity tag of `/a.txt`.
pub(crate) fn etag(of: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = connect(of)?;
    stream.write_all(b"HEAD /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let head = Input::with_capacity(4096)
        .read_response_head(&mut stream)
        .map_err(|error| io::Error::other(error.to_string()))?;
    let etag = head.fields().first("ETag").map(<[u8]>::to_vec);
    etag.ok_or_else(|| io::Error::other("no entity tag"))
}
