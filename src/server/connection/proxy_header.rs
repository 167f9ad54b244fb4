//! The PROXY header at the start of each connection from a proxy.

use std::io;
use std::net::TcpStream;

use rustix::net::{RecvFlags, recv};

use super::transport::Transport;
use crate::net::proxy_protocol::{self, Parse, Source};
use crate::net::{Deadline, Input};

/// Reads the PROXY header until the deadline; returns whom the connection is from. What has come after it stays in
/// `input`.
///
/// # Errors
/// The header is invalid ([`io::ErrorKind::Other`]), late or cut short: the connection cannot be served.
pub(super) fn read_proxy_header(
    transport: &mut Transport<'_>,
    input: &mut Input,
    deadline: Deadline,
) -> io::Result<Source> {
    loop {
        if input.fill(&mut transport.until(deadline))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match proxy_protocol::parse(input.data()).map_err(io::Error::other)? {
            Parse::NeedMore => {}
            Parse::Done { source, length } => {
                input.consume(length);
                return Ok(source);
            }
        }
    }
}

/// Most bytes of a header that are looked at without waiting; usual ones are shorter.
const MAX_PEEKED_BYTES: usize = 1024;

/// The same without waiting, if all of the header has come.
///
/// # Errors
/// The header has not come yet ([`io::ErrorKind::WouldBlock`]), or is invalid. Nothing was taken.
pub(super) fn take_proxy_header(stream: &TcpStream) -> io::Result<Source> {
    let mut header = [0; MAX_PEEKED_BYTES];
    let (count, _) = recv(stream, &mut header, RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
    match proxy_protocol::parse(&header[..count]).map_err(io::Error::other)? {
        Parse::NeedMore => Err(io::ErrorKind::WouldBlock.into()),
        Parse::Done { source, length } => {
            recv(stream, &mut header[..length], RecvFlags::DONTWAIT)?;
            Ok(source)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::server::test_wait::wait_until;

    #[test]
    fn a_header_is_taken_at_once_if_all_of_it_has_come_and_nothing_else_is() {
        let header = "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n";
        let source = Source::Client("192.0.2.1:4711".parse().unwrap());
        let long = format!("{header}{}", "G".repeat(2 * MAX_PEEKED_BYTES));
        for (sent, expected, left) in [
            ("", Err(io::ErrorKind::WouldBlock), ""),
            (&header[..20], Err(io::ErrorKind::WouldBlock), &header[..20]),
            (header, Ok(source), ""),
            (&long, Ok(source), &long[header.len()..]),
            ("GET / HTTP/1.1\r\n", Err(io::ErrorKind::Other), "GET / HTTP/1.1\r\n"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            peer.write_all(sent.as_bytes()).unwrap();
            let all = &mut [0; 4 * MAX_PEEKED_BYTES];
            wait_until("the bytes have come", || {
                sent.is_empty() || stream.peek(all).unwrap() == sent.len()
            });
            let taken = take_proxy_header(&stream);
            assert_eq!(taken.map_err(|error| error.kind()), expected, "{sent}");
            drop(peer);
            let mut rest = String::new();
            stream.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, left);
        }
    }
}
