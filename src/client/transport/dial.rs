//! Happy Eyeballs (RFC 8305): connects to the first of a host's addresses that accepts.
//!
//! The addresses are tried in the system's order, alternating between IPv4 and IPv6. The next one is tried
//! after a delay, or at once if one refuses. An address that does not answer costs a quarter of a second.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::client::error::{FetchError, TimeoutPhase};
use crate::client::stop::Stop;

/// The Connection Attempt Delay (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The interval at which a waiting dial checks for a stop.
const STOP_POLL: Duration = Duration::from_millis(50);

/// A connection that is being opened.
#[derive(Debug)]
struct Attempt {
    socket: Socket,
    address: SocketAddr,
}

/// Connects to the first of the addresses that accepts, within `timeout` for all of them.
///
/// # Errors
/// The last failure, a timeout, or the stop of the run.
pub(super) fn dial(
    addresses: &[SocketAddr],
    timeout: Duration,
    stop: &Stop,
) -> Result<(TcpStream, SocketAddr), FetchError> {
    let deadline = Instant::now() + timeout;
    let mut waiting = interleaved(addresses).into_iter();
    let mut pending: Vec<Attempt> = Vec::new();
    let mut failure = FetchError::TimedOut { phase: TimeoutPhase::Connect, timeout };
    let mut next_start = Instant::now();
    loop {
        if let Some(reason) = stop.reason() {
            return Err(reason.into());
        }
        let now = Instant::now();
        if now >= deadline {
            return Err(failure);
        }
        if now >= next_start || pending.is_empty() {
            if let Some(address) = waiting.next() {
                match begin(address) {
                    Ok(socket) => pending.push(Attempt { socket, address }),
                    Err(error) => {
                        log::debug!("cannot connect to {address}: {error}");
                        failure = FetchError::Connect { address, error };
                        continue;
                    }
                }
            } else if pending.is_empty() {
                return Err(failure);
            }
            next_start = now + ATTEMPT_DELAY;
        }
        let until_start = next_start.saturating_duration_since(now);
        let wait = deadline.saturating_duration_since(now).min(until_start).min(STOP_POLL);
        for index in ready(&pending, wait).into_iter().rev() {
            let Attempt { socket, address } = pending.swap_remove(index);
            match socket.take_error().and_then(|error| error.map_or(Ok(()), Err)) {
                Ok(()) => {
                    let stream = TcpStream::from(socket);
                    return match stream.set_nonblocking(false) {
                        Ok(()) => Ok((stream, address)),
                        Err(error) => Err(FetchError::Connect { address, error }),
                    };
                }
                Err(error) => {
                    log::debug!("cannot connect to {address}: {error}");
                    failure = FetchError::Connect { address, error };
                    next_start = Instant::now();
                }
            }
        }
    }
}

/// Alternates between the address families (RFC 8305 §4).
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (mut same, mut other): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().rev().copied().partition(|address| address.is_ipv4() == first.is_ipv4());
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(same.pop());
        order.extend(other.pop());
    }
    order
}

fn begin(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error)
            if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
        {
            Err(error)
        }
        _ => Ok(socket),
    }
}

/// The indices of the attempts that have succeeded or failed, in ascending order.
fn ready(pending: &[Attempt], wait: Duration) -> Vec<usize> {
    let mut polled: Vec<_> =
        pending.iter().map(|attempt| PollFd::new(&attempt.socket, PollFlags::OUT)).collect();
    let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos().max(1)) };
    if poll(&mut polled, Some(&wait)).is_err() {
        // Interrupted by a signal.
        return Vec::new();
    }
    (0..polled.len()).filter(|index| !polled[*index].revents().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::client::stop::StopReason;

    /// An address that refuses connections while the socket, which does not listen, is open.
    fn refusing(address: &str) -> (Socket, SocketAddr) {
        let address: SocketAddr = address.parse().unwrap();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    }

    /// An address that does not answer, since its backlog is full.
    fn silent() -> (Socket, Vec<Socket>, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let queued = (0..4).map(|_| begin(address).unwrap()).collect();
        (socket, queued, address)
    }

    fn try_dial(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), FetchError> {
        dial(addresses, Duration::from_secs(10), &Stop::default())
    }

    #[test]
    fn an_address_that_refuses_is_followed_by_the_next() {
        let (_six, six) = refusing("[::1]:0");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let four = listener.local_addr().unwrap();
        let (stream, address) = try_dial(&[six, four]).unwrap();
        assert_eq!((stream.peer_addr().unwrap(), address), (four, four));
    }

    #[test]
    fn after_a_delay_the_next_address_is_tried_too() {
        let (_socket, _queued, silent) = silent();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let four = listener.local_addr().unwrap();
        assert_eq!(try_dial(&[silent, four]).unwrap().1, four);
        let error = dial(&[silent], Duration::from_millis(20), &Stop::default()).unwrap_err();
        assert!(
            matches!(error, FetchError::TimedOut { phase: TimeoutPhase::Connect, .. }),
            "{error}"
        );
    }

    #[test]
    fn the_last_refusal_is_returned() {
        let (_six, six) = refusing("[::1]:0");
        let (_four, four) = refusing("127.0.0.1:0");
        match try_dial(&[six, four]) {
            Err(FetchError::Connect { address, error }) => {
                assert_eq!((address, error.kind()), (four, io::ErrorKind::ConnectionRefused));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_stop_ends_it() {
        let (_socket, _queued, silent) = silent();
        let stop = Stop::default();
        stop.stop(StopReason::Interrupted);
        let error = dial(&[silent], Duration::from_secs(10), &stop).unwrap_err();
        assert!(matches!(error, FetchError::Stopped(StopReason::Interrupted)), "{error}");
    }

    #[test]
    fn families_alternate() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1"]
            .map(|a| a.parse::<SocketAddr>().unwrap());
        let [a, b, c, d] = addresses;
        assert_eq!(interleaved(&addresses), [a, d, b, c]);
        assert_eq!(interleaved(&[]), []);
    }
}
