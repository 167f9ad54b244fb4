//! The listening socket and the accept loop.
//!
//! The loop never waits for a client, and no error ends it: an error of one connection is skipped, and
//! after an error of the system, such as a lack of descriptors, the loop backs off.
//!
//! It takes all connections that are there before it sleeps. If there was more than one, it first yields to
//! the threads that serve them and looks again: if connections follow each other closely, more have come by
//! then. With 32 clients that each ask for a small file, over and over, this raised the rate by an eighth and
//! saved a tenth of the CPU time of a connection; a third where other programs competed for the processors.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::net::is_timeout;
use crate::server::error::StartError;
use crate::server::log_interval::{LogInterval, WARNING_PERIOD};
use crate::server::status::counters::Counters;

/// Connections that the kernel completes before they are accepted; capped by `net.core.somaxconn`. With
/// the standard library's 128, a burst of clients waits a second to send its SYNs again.
const BACKLOG: i32 = 4096;

/// How often the accept loop checks whether to stop, in case it cannot be woken: waking it takes a
/// connection, and there may be no descriptor for one.
const STOP_POLL: Duration = Duration::from_secs(1);

/// Listens on one address, or, for `None`, on all IPv6 and IPv4 addresses through one socket.
///
/// # Errors
/// [`StartError::Listen`], with the address.
pub(crate) fn listen(address: Option<IpAddr>, port: u16) -> Result<TcpListener, StartError> {
    let bind = |ip: IpAddr| {
        let address = SocketAddr::new(ip, port);
        bind(address).map_err(|source| StartError::Listen { address, source })
    };
    match address {
        Some(ip) => bind(ip),
        None => match bind(Ipv6Addr::UNSPECIFIED.into()) {
            // The machine has no IPv6.
            Err(StartError::Listen { source, .. })
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

/// Stops the server from another thread.
#[derive(Clone, Debug)]
pub struct Stopper {
    stopping: Arc<AtomicBool>,
    at_once: Arc<AtomicBool>,
    address: SocketAddr,
}

impl Stopper {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { stopping: Arc::default(), at_once: Arc::default(), address }
    }

    /// Ends the accept loop, so that the server drains and stops. Does not wait for it.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        // The loop checks the flag after each accept: a connection wakes it.
        let connects = reachable_at(self.address.ip()).into_iter().any(|ip| {
            let address = SocketAddr::new(ip, self.address.port());
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        });
        if !connects {
            log::debug!("cannot wake the accept loop with a connection");
        }
    }

    /// Stops the server without letting transfers finish. Does not wait for it.
    pub fn stop_at_once(&self) {
        self.at_once.store(true, Ordering::Release);
        self.stop();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn is_stopping_at_once(&self) -> bool {
        self.at_once.load(Ordering::Acquire)
    }
}

/// Accepts connections until `stopper` stops it, and passes each to `serve`, which must not block.
pub(crate) fn accept_loop(
    listener: &TcpListener,
    stopper: &Stopper,
    counters: &Counters,
    mut serve: impl FnMut(TcpStream, SocketAddr),
) {
    let mut backoff = Backoff::new();
    let mut since_sleep = 0;
    let mut has_yielded = false;
    loop {
        let accepted = accept(listener);
        if stopper.is_stopping() {
            return;
        }
        match accepted {
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
                sleep_until_connection(listener);
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

/// Sleeps until a connection can be accepted, at most for [`STOP_POLL`].
fn sleep_until_connection(listener: &TcpListener) {
    let timeout = Timespec::try_from(STOP_POLL).expect("a second is a time");
    // After an error, such as EINTR, the caller tries again.
    let _ = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&timeout));
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
        let stopper = Stopper::new(address);
        let (sender, receiver) = mpsc::channel();
        let accepting = thread::spawn({
            let stopper = stopper.clone();
            move || {
                accept_loop(&listener, &stopper, &Counters::default(), |stream, peer| {
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
}
