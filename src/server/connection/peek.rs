//! A look at the beginning of a request that leaves it to be read.

use std::net::TcpStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};

/// Waits up to `timeout` for the first bytes of a request, and copies them without consuming them; returns their
/// number, or `None` if none have come.
pub(super) fn peek_request(
    stream: &TcpStream,
    buffer: &mut [u8],
    timeout: Duration,
) -> Option<usize> {
    let timeout = Timespec::try_from(timeout).ok()?;
    poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&timeout)).ok()?;
    let (count, _) = recv(stream, buffer, RecvFlags::PEEK | RecvFlags::DONTWAIT).ok()?;
    (count > 0).then_some(count)
}
