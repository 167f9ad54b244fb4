//! Connects to the server of a URL, directly or through a proxy, with or without TLS.
//!
//! `dial` chooses the address; `fetch` sends the requests.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::{Host, Position, Url};

use super::dial::dial;
use super::resolve::Resolver;
use super::socket::Socket;
use super::tls::{HandshakeError, TlsStream, handshake};
use crate::client::error::{FetchError, TimeoutPhase};
use crate::client::results::outcome::Phases;
use crate::client::settings::Timeouts;
use crate::client::settings::proxies::{Proxies, Proxy};
use crate::client::stop::Stop;
use crate::client::trust::Trust;
use crate::client::zone;
use crate::http::HeadWriter;
use crate::net::{Deadline, HeadReadError, Input, is_timeout};

/// Opens connections.
#[derive(Debug)]
pub(crate) struct Connector {
    resolver: Resolver,
    pub(crate) timeouts: Timeouts,
    trust: Trust,
    proxies: Proxies,
    pub(crate) stop: Stop,
}

/// A connection to an origin or its proxy, whose reads and writes have a timeout.
#[derive(Debug)]
pub(crate) enum Connection {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

impl Connector {
    pub(crate) fn new(timeouts: Timeouts, trust: Trust, proxies: Proxies, stop: Stop) -> Self {
        Self { resolver: Resolver::default(), timeouts, trust, proxies, stop }
    }

    /// The proxy that forwards requests for `url`. There is none for `https`, which uses a tunnel.
    pub(crate) fn forwarding_proxy(&self, url: &Url) -> Result<Option<&Proxy>, FetchError> {
        Ok(self.proxies.for_url(url)?.filter(|_| url.scheme() == "http"))
    }

    /// Connects to the server of `url`, whose scheme is supported, and adds the times to `phases`.
    pub(crate) fn connect(&self, url: &Url, phases: &mut Phases) -> Result<Connection, FetchError> {
        let proxy = self.proxies.for_url(url)?;
        let peer = proxy.map_or(url, |proxy| &proxy.url);
        let addresses = timed(&mut phases.dns, || self.addresses(peer))?;
        let mut socket = timed(&mut phases.connect, || {
            let timeout = self.timeouts.connect;
            let (stream, address) = dial(&addresses, timeout, &self.stop)?;
            let socket = Socket::new(stream, timeout, &self.stop)
                .map_err(|error| FetchError::Connect { address, error })?;
            match proxy.filter(|_| url.scheme() == "https") {
                Some(proxy) => self.tunnel(socket, proxy, url),
                None => Ok(socket),
            }
        })?;
        if url.scheme() == "http" {
            socket.set_read_timeout(self.timeouts.silence).map_err(FetchError::Receive)?;
            return Ok(Connection::Plain(socket));
        }
        let url = zone::strip(url);
        let host = url.host_str().expect("URLs of supported schemes have a host");
        let handshaken =
            timed(&mut phases.tls, || handshake(&self.trust, host, socket, self.timeouts.connect));
        let mut stream = handshaken.map_err(|error| self.handshake_failure(host, error))?;
        stream.set_read_timeout(self.timeouts.silence).map_err(FetchError::Receive)?;
        Ok(Connection::Tls(Box::new(stream)))
    }

    fn handshake_failure(&self, host: &str, error: HandshakeError) -> FetchError {
        match error {
            HandshakeError::Trust(error) => FetchError::Trust(error),
            HandshakeError::Io(error) if is_timeout(&error) => {
                FetchError::TimedOut { phase: TimeoutPhase::Tls, timeout: self.timeouts.connect }
            }
            HandshakeError::Io(error) => FetchError::Tls { host: host.into(), error },
        }
    }

    /// Requests a tunnel from a proxy (RFC 9110 §9.3.6).
    fn tunnel(&self, mut socket: Socket, proxy: &Proxy, url: &Url) -> Result<Socket, FetchError> {
        let mut request = Vec::new();
        let host = &url[Position::BeforeHost..Position::AfterHost];
        let port = url.port_or_known_default().expect("supported schemes have a default port");
        let authority = format!("{host}:{port}");
        let mut head = HeadWriter::request(&mut request, "CONNECT", &authority);
        head = head.field("Host", &authority);
        if let Some(credentials) = &proxy.credentials {
            head = head.field("Proxy-Authorization", credentials.value());
        }
        head.finish();
        let mut input = Input::with_capacity(1024);
        socket.write_all(&request).map_err(FetchError::Send)?;
        let mut socket_until = socket.until(Deadline::after(self.timeouts.connect));
        let head = input.read_response_head(&mut socket_until).map_err(|error| match error {
            HeadReadError::Io(error) if is_timeout(&error) => FetchError::TimedOut {
                phase: TimeoutPhase::Connect,
                timeout: self.timeouts.connect,
            },
            HeadReadError::Io(error) => FetchError::Receive(error),
            HeadReadError::Malformed(error) => FetchError::Malformed(error),
        })?;
        // In TLS the client sends first, so no data may follow the head yet.
        if head.status().is_success() && input.data().is_empty() {
            Ok(socket)
        } else {
            Err(FetchError::Tunnel(head.status()))
        }
    }

    fn addresses(&self, url: &Url) -> Result<Arc<[SocketAddr]>, FetchError> {
        let port = url.port_or_known_default().expect("supported schemes have a default port");
        let address = |ip: IpAddr| Arc::from([SocketAddr::new(ip, port)]);
        match url.host().expect("URLs of supported schemes have a host") {
            Host::Ipv4(ip) => Ok(address(ip.into())),
            Host::Ipv6(ip) => Ok(Arc::from([zone::socket_address(ip, port)])),
            Host::Domain(host) => self
                .resolver
                .resolve(host, port, self.timeouts.connect, &self.stop)
                .map_err(|error| FetchError::Resolve { host: host.into(), error }),
        }
    }
}

/// Adds the time that `work` takes to `phase`.
pub(crate) fn timed<T>(phase: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started_at = Instant::now();
    let result = work();
    *phase += started_at.elapsed();
    result
}

impl Connection {
    /// Sets the timeout of each read.
    pub(crate) fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_read_timeout(timeout),
            Self::Tls(stream) => stream.set_read_timeout(timeout),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_addresses_need_no_look_up() {
        let connector = Connector::new(
            Timeouts::default(),
            Trust::default(),
            Proxies::default(),
            Stop::default(),
        );
        for (url, expected) in [
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://127.1/", "127.0.0.1:80"),
            ("https://127.0.0.1/", "127.0.0.1:443"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://[0:0::1]/", "[::1]:80"),
        ] {
            let addresses = connector.addresses(&Url::parse(url).unwrap()).unwrap();
            assert_eq!(*addresses, [expected.parse().unwrap()], "{url}");
        }
    }
}
