//! From a URL to a connection with its server.
//!
//! Each of a host's addresses is tried in turn, those that come later with the time that earlier ones
//! have left: so `localhost` works whichever of its families the server listens on, and an address
//! that swallows everything does not use up the time of the others. What is said over a connection is
//! left to `fetch`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::{Host, Origin, Url};

use super::resolve::Resolver;
use super::{FetchError, Phase, Phases};
use crate::net::{Deadline, ReadTimeout, is_timeout};

/// Opens connections.
#[derive(Debug)]
pub(super) struct Connector {
    resolver: Resolver,
    /// For connecting, and afterwards for each read and write.
    timeout: Duration,
}

/// A connection to an origin, whose reads and writes have a timeout.
#[derive(Debug)]
pub(super) struct Connection {
    origin: Origin,
    transport: Transport,
    read_timeout: ReadTimeout,
}

/// What carries the bytes of a connection.
#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
}

impl Connector {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { resolver: Resolver::default(), timeout }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Connects to the server of `url`, whose scheme is a supported one.
    pub(super) fn connect(&self, url: &Url, phases: &mut Phases) -> Result<Connection, FetchError> {
        let addresses = timed(&mut phases.dns, || self.addresses(url))?;
        timed(&mut phases.connect, || {
            let (stream, address) = connect_to_any(&addresses, self.timeout)?;
            self.settle(stream, url).map_err(|error| FetchError::Connect { address, error })
        })
    }

    fn addresses(&self, url: &Url) -> Result<Arc<[SocketAddr]>, FetchError> {
        let port = url.port_or_known_default().expect("supported schemes have a default port");
        let address = |ip: IpAddr| Arc::from([SocketAddr::new(ip, port)]);
        match url.host().expect("URLs of supported schemes have a host") {
            Host::Ipv4(ip) => Ok(address(ip.into())),
            Host::Ipv6(ip) => Ok(address(ip.into())),
            Host::Domain(host) => self
                .resolver
                .resolve(host, port)
                .map_err(|error| FetchError::Resolve { host: host.to_owned(), error }),
        }
    }

    fn settle(&self, stream: TcpStream, url: &Url) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(self.timeout))?;
        let mut connection = Connection {
            origin: url.origin(),
            transport: Transport::Plain(stream),
            read_timeout: ReadTimeout::default(),
        };
        connection.set_read_timeout(self.timeout)?;
        Ok(connection)
    }
}

/// Adds the time that `work` takes to `phase`.
pub(super) fn timed<T>(phase: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *phase += begun.elapsed();
    result
}

/// Connects to the first address that takes the connection. `addresses` is not empty; `timeout` is for
/// all of them.
fn connect_to_any(
    addresses: &[SocketAddr],
    timeout: Duration,
) -> Result<(TcpStream, SocketAddr), FetchError> {
    let deadline = Deadline::after(timeout);
    let mut failure = FetchError::TimedOut { phase: Phase::Connect, timeout };
    for (index, address) in addresses.iter().enumerate() {
        let share = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let Ok(remaining) = deadline.remaining() else { break };
        let timeout = (remaining / share).max(Duration::from_micros(1));
        match TcpStream::connect_timeout(address, timeout) {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) => {
                log::debug!("cannot connect to {address}: {error}");
                if !is_timeout(&error) {
                    failure = FetchError::Connect { address: *address, error };
                }
            }
        }
    }
    Err(failure)
}

impl Connection {
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Lets each read wait for at most `timeout`.
    pub(super) fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        let Transport::Plain(stream) = &self.transport;
        self.read_timeout.set(stream, timeout)
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.transport {
            Transport::Plain(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.transport {
            Transport::Plain(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.transport {
            Transport::Plain(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// An address that refuses connections for as long as the socket lives, since nobody listens.
    fn refusing(address: &str) -> (Socket, SocketAddr) {
        let address: SocketAddr = address.parse().unwrap();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    }

    #[test]
    fn an_address_that_refuses_is_followed_by_the_next() {
        let (_six, six) = refusing("[::1]:0");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let four = listener.local_addr().unwrap();
        let (stream, address) = connect_to_any(&[six, four], Duration::from_secs(10)).unwrap();
        assert_eq!((stream.peer_addr().unwrap(), address), (four, four));
    }

    #[test]
    fn the_last_refusal_is_told() {
        let (_six, six) = refusing("[::1]:0");
        let (_four, four) = refusing("127.0.0.1:0");
        match connect_to_any(&[six, four], Duration::from_secs(10)) {
            Err(FetchError::Connect { address, error }) => {
                assert_eq!((address, error.kind()), (four, io::ErrorKind::ConnectionRefused));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn literal_addresses_are_looked_up_nowhere() {
        let connector = Connector::new(Duration::from_secs(1));
        for (url, expected) in [
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://127.1/", "127.0.0.1:80"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://[0:0::1]/", "[::1]:80"),
        ] {
            let addresses = connector.addresses(&Url::parse(url).unwrap()).unwrap();
            assert_eq!(*addresses, [expected.parse().unwrap()], "{url}");
        }
    }
}
