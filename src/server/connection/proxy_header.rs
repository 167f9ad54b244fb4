//! The PROXY header at the start of each connection from a proxy.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::deadline_stream::DeadlineStream;
use crate::net::proxy_protocol::{self, Parse};
use crate::net::{Deadline, Input, ReadTimeout};

/// Reads the PROXY header within `timeout`, which is the read timeout of the socket before and after;
/// returns the client's address, or `None` if the proxy speaks for itself.
///
/// # Errors
/// The header is invalid ([`io::ErrorKind::Other`]), late or cut short: the connection cannot be served.
pub(super) fn read_proxy_header(
    stream: &TcpStream,
    input: &mut Input,
    timeout: Duration,
) -> io::Result<Option<SocketAddr>> {
    let mut read_timeout = ReadTimeout::set_to(timeout);
    let deadline = Deadline::after(timeout);
    loop {
        let read_timeout = &mut read_timeout;
        if input.fill(&mut DeadlineStream { stream, read_timeout, deadline })? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match proxy_protocol::parse(input.data()).map_err(io::Error::other)? {
            Parse::NeedMore => {}
            Parse::Done { source, length } => {
                input.consume(length);
                read_timeout.set(stream, timeout)?;
                return Ok(source);
            }
        }
    }
}
