//! The listening socket and the accept loop.
//!
//! The loop never waits for a client, and no error ends it: an error of one connection is skipped, and
//! after an error of the system, such as a lack of descriptors, the loop backs off.
//!
//! It takes all connections that are there before it sleeps. If there was more than one, it first yields to
//! the threads that serve them and looks again: if connections follow each other closely, more have come by
//! then. With 32 clients that each ask for a small file, over and over, this raised the rate by an eighth and
//! saved a tenth of the CPU time of a connection; a third where other programs competed for the processors.
//!
//! At its end it takes what the kernel has completed and nobody has accepted: closing the listener would reset those
//! connections, whose clients may have sent their requests.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::is_timeout;
use crate::server::error::ListenError;
use crate::server::log_interval::{LogInterval, WARNING_PERIOD};
use crate::server::status::counters::Counters;
use crate::server::stop::Stopper;

/// Connections that the kernel completes before they are accepted; capped by `net.core.somaxconn`. With
/// the standard library's 128, a burst of clients waits a second to send its SYNs again.
const BACKLOG: i32 = 4096;

/// Listens on one address, or, for `None`, on all IPv6 and IPv4 addresses through one socket.
///
/// # Errors
/// The socket cannot be made or bound.
pub(crate) fn listen(address: Option<IpAddr>, port: u16) -> Result<TcpListener, ListenError> {
    let bind = |ip: IpAddr| {
        let address = SocketAddr::new(ip, port);
        bind(address).map_err(|source| ListenError { address, source })
    };
    match address {
        Some(ip) => bind(ip),
        None => match bind(Ipv6Addr::UNSPECIFIED.into()) {
            // The machine has no IPv6.
            Err(ListenError { source, .. })
                if matches!(
                    rustix::io::Errno::from_io_error(&source),
                    Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL)
                ) =>
            {
                bind(Ipv4Addr::UNSPECIFIED.into())
            }
            bound => bound,
        },
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Allows a restart while connections of the last run are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The addresses at which this machine reaches a server that listens on `ip`. A socket for all IPv6
/// addresses accepts IPv4 as well. Without `::1` if IPv6 is switched off.
#[must_use]
pub fn reachable_at(ip: IpAddr) -> Vec<IpAddr> {
    let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let can_be_bound = |ip: &IpAddr| UdpSocket::bind((*ip, 0)).is_ok();
    match ip {
        ip if !ip.is_unspecified() => vec![ip],
        IpAddr::V4(_) => vec![Ipv4Addr::LOCALHOST.into()],
        IpAddr::V6(_) => loopback.into_iter().filter(can_be_bound).collect(),
    }
}

/// Accepts connections until `stopper` says that no more are accepted, and passes each to `serve`, which must not
/// block. Closes the listener.
pub(crate) fn accept_loop(
    listener: TcpListener,
    stopper: &Stopper,
    counters: &Counters,
    mut serve: impl FnMut(TcpStream, SocketAddr),
) {
    let mut backoff = Backoff::new();
    let mut since_sleep = 0;
    let mut has_yielded = false;
    while !stopper.accepts_no_more() {
        match accept(&listener) {
            Ok((stream, peer)) => {
                backoff.reset();
                since_sleep += 1;
                has_yielded = false;
                serve(stream, peer);
            }
            Err(error) if is_timeout(&error) && since_sleep > 1 && !has_yielded => {
                has_yielded = true;
                thread::yield_now();
            }
            Err(error) if is_timeout(&error) => {
                since_sleep = 0;
                stopper.wait_for_connection(&listener);
            }
            Err(error) if concerns_one_connection(&error) => {
                log::debug!("a connection was gone before it was accepted: {error}");
            }
            Err(error) => {
                counters.accept_errors.increment();
                backoff.wait(&error);
            }
        }
    }
    if !stopper.is_stopping_at_once() {
        serve_backlog(&listener, serve);
    }
    // Right after the last accept: a connection that is completed in between is reset.
    drop(listener);
}

/// Accepts the connections that are there, which are at most [`BACKLOG`]; more come after the server has stopped.
fn serve_backlog(listener: &TcpListener, mut serve: impl FnMut(TcpStream, SocketAddr)) {
    for _ in 0..BACKLOG {
        match accept(listener) {
            Ok((stream, peer)) => serve(stream, peer),
            Err(error) if concerns_one_connection(&error) => {}
            Err(_) => return,
        }
    }
}

/// Accepts a connection that is there.
fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    // On Linux it blocks in any case; other systems copy the listener's mode.
    if cfg!(not(target_os = "linux")) {
        stream.set_nonblocking(false)?;
    }
    Ok((stream, peer))
}

/// True for an error of the connection that was to be accepted, after which the next accept may succeed at
/// once (accept(2): pending network errors, and a peer that has gone).
fn concerns_one_connection(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNABORTED
                | Errno::INTR
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::OPNOTSUPP
                | Errno::NETUNREACH
        )
    )
}

/// Waits after errors of the system, such as a lack of descriptors or memory: retrying at once would only
/// use the CPU.
#[derive(Debug)]
struct Backoff {
    pause: Duration,
    errors: u64,
    warnings: LogInterval,
}

const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_millis(500);

impl Backoff {
    fn new() -> Self {
        Self { pause: MIN_PAUSE, errors: 0, warnings: LogInterval::new(WARNING_PERIOD) }
    }

    /// Logs the error, at most once a minute, and sleeps, twice as long each time.
    fn wait(&mut self, error: &io::Error) {
        self.errors += 1;
        if self.warnings.permits(Instant::now()) {
            log::warn!("cannot accept connections: {error} ({} times so far)", self.errors);
        }
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }

    fn reset(&mut self) {
        self.pause = MIN_PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use nix::sys::time::TimeValLike as _;
    use nix::time::{ClockId, clock_gettime};
    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;

    /// The CPU time that the calling thread has used.
    fn cpu_time() -> Duration {
        let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
        Duration::from_nanos(time.num_nanoseconds().unsigned_abs())
    }

    #[test]
    fn each_connection_is_accepted_and_blocks_and_the_loop_sleeps_while_there_is_none() {
        let listener = listen(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
        let address = listener.local_addr().unwrap();
        let stopper = Stopper::new(Duration::ZERO).unwrap();
        let (sender, receiver) = mpsc::channel();
        let accepting = thread::spawn({
            let stopper = stopper.clone();
            move || {
                accept_loop(listener, &stopper, &Counters::default(), |stream, peer| {
                    sender.send((stream, peer)).unwrap();
                });
                cpu_time()
            }
        });
        for burst in [1, 1, 5, 1, 2] {
            let connect = |_| TcpStream::connect(address).unwrap();
            let clients: Vec<_> = (0..burst).map(connect).collect();
            for client in &clients {
                let (stream, peer) = receiver.recv_timeout(Duration::from_secs(60)).unwrap();
                assert_eq!(peer, client.local_addr().unwrap());
                assert!(!fcntl_getfl(&stream).unwrap().contains(OFlags::NONBLOCK));
            }
        }
        let idle = Duration::from_millis(300);
        thread::sleep(idle);
        stopper.stop();
        let used = accepting.join().unwrap();
        assert!(used < idle / 4, "the loop used {used:?} of CPU time");
    }

    /// As the kernel completes connections while the loop serves others, or the process is stopped.
    #[test]
    fn connections_that_are_there_at_the_end_are_accepted_unless_it_ends_at_once() {
        for is_at_once in [false, true] {
            let listener = listen(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
            let address = listener.local_addr().unwrap();
            let clients = [(); 9].map(|()| TcpStream::connect(address).unwrap());
            let stopper = Stopper::new(Duration::ZERO).unwrap();
            if is_at_once {
                stopper.stop_at_once();
            } else {
                stopper.stop();
            }
            let mut accepted = Vec::new();
            accept_loop(listener, &stopper, &Counters::default(), |_, peer| accepted.push(peer));
            let expected = clients.map(|client| client.local_addr().unwrap());
            assert_eq!(accepted, if is_at_once { &[][..] } else { &expected });
            assert!(TcpStream::connect(address).is_err(), "the listener is closed");
        }
    }
}
