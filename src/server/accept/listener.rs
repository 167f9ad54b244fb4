//! The listening socket and the accept loop.
//!
//! The loop never waits for a client, and no error ends it: what is wrong with one connection is
//! skipped, and what is wrong with the system is waited out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::is_timeout;
use crate::server::error::StartError;
use crate::server::status::counters::Counters;
use crate::server::throttle::{Throttle, WARNING_PERIOD};

/// Connections that the kernel completes and holds until they are accepted; it takes no more than
/// `net.core.somaxconn` of them. The standard library's 128 makes a burst wait a second for its SYN.
const BACKLOG: i32 = 4096;

/// How often the accept loop looks whether it is to stop, should nobody manage to wake it: that takes
/// a connection, and the descriptors may be used up.
const LOOK: Duration = Duration::from_secs(1);

/// Listens on one address, or, where none is given, on all of both families through one socket.
///
/// # Errors
/// [`StartError::Listen`] with the address.
pub(crate) fn listen(address: Option<IpAddr>, port: u16) -> Result<TcpListener, StartError> {
    let bind = |ip: IpAddr| {
        let address = SocketAddr::new(ip, port);
        bind(address).map_err(|source| StartError::Listen { address, source })
    };
    match address {
        Some(ip) => bind(ip),
        None => match bind(Ipv6Addr::UNSPECIFIED.into()) {
            // A machine without IPv6.
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
    // A restarted server must not wait for the last one's connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_read_timeout(Some(LOOK))?;
    Ok(socket.into())
}

/// The addresses at which this machine reaches a server that listens on `ip`. A socket for all IPv6
/// addresses takes IPv4 as well; `::1` is missing where IPv6 is switched off.
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

/// Ends an accept loop from another thread.
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

    /// Has the accept loop end; does not wait for it.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        // The loop looks at the flag after each accept: a connection of our own wakes it.
        let connects = reachable_at(self.address.ip()).into_iter().any(|ip| {
            let address = SocketAddr::new(ip, self.address.port());
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        });
        if !connects {
            log::debug!("cannot wake the accept loop by a connection");
        }
    }

    /// Has the server end without waiting for transfers; does not wait for it.
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

/// Accepts connections until `stopper` says stop, and hands each to `serve`, which must not wait.
pub(crate) fn accept_loop(
    listener: &TcpListener,
    stopper: &Stopper,
    counters: &Counters,
    mut serve: impl FnMut(TcpStream, SocketAddr),
) {
    let mut trouble = Trouble::default();
    loop {
        let accepted = listener.accept();
        if stopper.is_stopping() {
            return;
        }
        match accepted {
            Ok((stream, peer)) => {
                trouble.is_over();
                serve(stream, peer);
            }
            // Nobody came; it was only time to look whether to stop.
            Err(error) if is_timeout(&error) => {}
            Err(error) if concerns_one_connection(&error) => {
                log::debug!("a connection was gone before it was accepted: {error}");
            }
            Err(error) => {
                counters.accept_errors.increment();
                trouble.wait_out(&error);
            }
        }
    }
}

/// The next accept may well succeed at once (accept(2): already-pending network errors, and a peer
/// that has gone).
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

/// A shortage of descriptors or memory: to try again at once would only burn the processor.
#[derive(Debug)]
struct Trouble {
    pause: Duration,
    failures: u64,
    warnings: Throttle,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Default for Trouble {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE, failures: 0, warnings: Throttle::new(WARNING_PERIOD) }
    }
}

impl Trouble {
    fn wait_out(&mut self, error: &io::Error) {
        self.failures += 1;
        if self.warnings.permits(Instant::now()) {
            log::warn!("cannot accept connections: {error} ({} times until now)", self.failures);
        }
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn is_over(&mut self) {
        self.pause = FIRST_PAUSE;
    }
}
