//! The settings of the server, validated, and their defaults.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::access::authenticator::PasswordSettings;
use super::access::networks::NetworkRules;
use super::limits::admission::{Enforcement, Limits};
use super::limits::client::Identification;
use super::limits::connection_rates::MaximumRates;
use super::limits::slot_queue::Waiting;
use super::logs::access::AccessLog;
use super::logs::sink::LogHandle;
use super::site::settings::SiteSettings;
use super::status::access::StatusAccess;
use super::tls::acceptor::TlsSettings;
use crate::http::{FieldLine, FieldLineError};

/// All settings of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The address to listen on. Default `None`: all addresses of the machine, IPv6 and IPv4.
    pub address: Option<IpAddr>,
    /// The port to listen on; 0 lets the system choose. Default 20001.
    pub port: u16,
    /// A second port, on the same address, where each request over plain HTTP is redirected to the first; 0 lets the
    /// system choose. Default `None`.
    pub redirect_port: Option<u16>,
    /// The directory that is served. Default `.`.
    pub root: PathBuf,
    pub limits: Limits,
    pub waiting: Waiting,
    /// Most sockets that linger after their last response, or are about to get it. Default 128.
    pub lingering: usize,
    pub timeouts: Timeouts,
    pub rates: Rates,
    pub identification: Identification,
    pub networks: NetworkRules,
    /// Users and passwords that requests need. Default `None`: they need none.
    pub passwords: Option<PasswordSettings>,
    /// The certificates. Default `None`: connections are not encrypted.
    pub tls: Option<TlsSettings>,
    pub policy: Policy,
    pub site: SiteSettings,
    pub extra_fields: ExtraFields,
    pub access_log: AccessLog,
    /// Where the status page is, and who may see it. Default `None`: there is none.
    pub status: Option<StatusAccess>,
    /// Logs; the status page counts their lost lines.
    pub logs: Vec<LogHandle>,
}

impl ServerConfig {
    /// Most connections that wait for their rejection over TLS, or get it, in place of as many sockets that linger.
    pub(super) fn tls_rejections(&self) -> usize {
        if self.tls.is_some() { (self.lingering / 4).max(1) } else { 0 }
    }
}

/// Fields that the operator adds to responses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraFields {
    /// The value of `Cache-Control` for files (RFC 9111 §5.2).
    pub cache_control: Option<String>,
    /// Fields of every response but the status page, in this order; rejections have them too. The status
    /// page is private, and a field such as `Access-Control-Allow-Origin` would let other sites read it.
    pub further: Vec<ExtraField>,
}

/// A field that the server does not set itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraField {
    pub(super) name: String,
    pub(super) value: String,
}

/// Why a field cannot be added to all responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ExtraFieldError {
    /// It is not a valid field line.
    #[error(transparent)]
    Line(#[from] FieldLineError),
    /// The server sets this field itself.
    #[error("the server sets this field itself")]
    Reserved,
}

/// Fields that the server sets itself: they frame a message, or describe a connection or a file.
const RESERVED: [&str; 21] = [
    "accept-ranges",
    "allow",
    "connection",
    "content-length",
    "content-encoding",
    "content-range",
    "content-type",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "server",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
    "x-content-type-options",
];

impl FromStr for ExtraField {
    type Err = ExtraFieldError;

    /// Parses `Name: value`.
    fn from_str(text: &str) -> Result<Self, ExtraFieldError> {
        let line = FieldLine::parse(text)?;
        if line.is_one_of(&RESERVED) {
            return Err(ExtraFieldError::Reserved);
        }
        Ok(Self { name: line.name.to_owned(), value: line.value.to_owned() })
    }
}

/// How connections are treated, beyond the two limits.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Default [`Enforcement::Enforced`].
    pub enforcement: Enforcement,
    /// Most open connections with [`Enforcement::DryRun`]: as many as the descriptors suffice for. Default
    /// unlimited.
    pub capacity: usize,
    /// Close an idle connection rather than reject a new one. Default false.
    pub reclaim_idle: bool,
    /// Requests served on one connection before it is closed. Default 10,000.
    pub keep_alive_requests: u64,
    /// A pause before each response, to imitate a distant server. Default none.
    pub delay: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enforcement: Enforcement::Enforced,
            capacity: usize::MAX,
            reclaim_idle: false,
            keep_alive_requests: 10_000,
            delay: Duration::ZERO,
        }
    }
}

/// Timeouts of connections.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the head of a request, from its first byte to its last. For the first head of a connection it
    /// starts when the connection is opened. Default 10 s.
    pub head: Duration,
    /// For the next request on a kept connection to begin. Default 5 s.
    pub idle: Duration,
    /// For a peer to take any part of a response. Default 30 s.
    pub stall: Duration,
    /// For the server to go on accepting connections when it is stopped, while health checks fail. Default 0.
    pub drain_delay: Duration,
    /// For transfers to finish after that. Default 8 s.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            // Docker sends SIGKILL ten seconds after SIGTERM.
            drain: Duration::from_secs(8),
        }
    }
}

/// Bounds on the rate at which responses are sent.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Bytes per second that a peer must take on average over each [`Rates::window`]; 0 for no minimum.
    /// Default 1024.
    pub minimum: u64,
    /// The time over which the minimum is averaged; a response is exempt until it has passed. The time in
    /// which the server waits because of a maximum is not counted. Default 20 s.
    pub window: Duration,
    pub maximum: MaximumRates,
}

impl Default for Rates {
    fn default() -> Self {
        Self { minimum: 1024, window: Duration::from_secs(20), maximum: MaximumRates::default() }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            address: None,
            port: 20001,
            redirect_port: None,
            root: PathBuf::from("."),
            limits: Limits::default(),
            waiting: Waiting::default(),
            lingering: 128,
            timeouts: Timeouts::default(),
            rates: Rates::default(),
            identification: Identification::default(),
            networks: NetworkRules::default(),
            passwords: None,
            tls: None,
            policy: Policy::default(),
            site: SiteSettings::default(),
            extra_fields: ExtraFields::default(),
            access_log: AccessLog::default(),
            status: None,
            logs: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_added_only_if_it_is_one_and_contradicts_nothing() {
        for (text, expected) in [
            ("X-Frame-Options: DENY", Ok(("X-Frame-Options", "DENY"))),
            ("a:b", Ok(("a", "b"))),
            ("Empty:", Ok(("Empty", ""))),
            ("Link: </a:b>; rel=\"x\"", Ok(("Link", "</a:b>; rel=\"x\""))),
            ("no colon", Err(FieldLineError::NoColon.into())),
            (": b", Err(FieldLineError::Name.into())),
            ("a b: c", Err(FieldLineError::Name.into())),
            ("a: b\r\nc: d", Err(FieldLineError::Value.into())),
            ("content-LENGTH: 5", Err(ExtraFieldError::Reserved)),
            ("Transfer-Encoding: chunked", Err(ExtraFieldError::Reserved)),
        ] {
            let field: Result<ExtraField, _> = text.parse();
            let found = field.as_ref().map(|field| (&*field.name, &*field.value));
            assert_eq!(found, expected.as_ref().map(|pair| *pair), "{text:?}");
        }
    }
}
