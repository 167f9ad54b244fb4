//! What the server is told: settings that are valid, with their defaults.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::limits::admission::{Enforcement, Limits};
use super::limits::client::Identification;
use super::logs::access::AccessLog;
use super::logs::sink::LogHandle;
use super::site::settings::SiteSettings;
use super::status::access::StatusAccess;
use crate::http::{FieldLine, FieldLineError};

/// Everything the server needs to start.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The address to listen on; `None` for all of the machine's, IPv4 and IPv6.
    pub address: Option<IpAddr>,
    /// The port to listen on; 0 lets the system choose.
    pub port: u16,
    /// The directory that is served.
    pub root: PathBuf,
    pub limits: Limits,
    /// Most sockets that linger after their last answer.
    pub lingering: usize,
    pub timeouts: Timeouts,
    pub rates: Rates,
    pub identification: Identification,
    pub policy: Policy,
    pub site: SiteSettings,
    pub extra_fields: ExtraFields,
    pub access_log: AccessLog,
    /// Where the status is found; nowhere by default.
    pub status: Option<StatusAccess>,
    /// Logs whose lost lines the status tells.
    pub logs: Vec<LogHandle>,
}

/// Fields that responses have because the operator wants them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraFields {
    /// The value of `Cache-Control` for files (RFC 9111 §5.2).
    pub cache_control: Option<String>,
    /// Fields of every answer but the status, in this order: rejections have them too. The status is for
    /// the operator's own eyes, which a field such as `Access-Control-Allow-Origin` would lend to others.
    pub further: Vec<ExtraField>,
}

/// A field that may be added to responses without contradicting what the server says itself.
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

/// Fields that frame a message, describe a connection or a file, or are computed.
const RESERVED: [&str; 20] = [
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
    "x-content-type-options",
];

impl FromStr for ExtraField {
    type Err = ExtraFieldError;

    /// Reads `Name: value`.
    fn from_str(text: &str) -> Result<Self, ExtraFieldError> {
        let line = FieldLine::parse(text)?;
        if line.is_one_of(&RESERVED) {
            return Err(ExtraFieldError::Reserved);
        }
        Ok(Self { name: line.name.to_owned(), value: line.value.to_owned() })
    }
}

/// What becomes of connections, beyond the two limits.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub enforcement: Enforcement,
    /// Connections that may be open where limits are only tried out: what the descriptors bear.
    pub capacity: usize,
    /// Before a connection is rejected, one that is idle between two requests is closed for it.
    pub reclaim_idle: bool,
    /// Requests that are served on one connection before it is closed.
    pub keep_alive_requests: u64,
    /// A pause before each response, which makes a distant server of a near one.
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

/// How long peers may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a head, from its first byte to its last; for the first of a connection, from when it was
    /// opened.
    pub head: Duration,
    /// For the next request to begin on a connection that was kept.
    pub idle: Duration,
    /// For a peer to take anything at all of what is sent.
    pub stall: Duration,
    /// For transfers to finish when the server is stopped.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            // Docker kills ten seconds after SIGTERM.
            drain: Duration::from_secs(8),
        }
    }
}

/// Bounds on the speed of outgoing content, for each connection.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Bytes a second that a peer must take on average over each [`Rates::window`]; 0 for none.
    pub minimum: u64,
    /// Over how long the minimum is averaged, which is also the grace at the beginning.
    pub window: Duration,
    /// Bytes a second that are sent at most; `None` for as fast as it goes.
    pub maximum: Option<u64>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { minimum: 1024, window: Duration::from_secs(20), maximum: None }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            address: None,
            port: 20001,
            root: PathBuf::from("."),
            limits: Limits::default(),
            lingering: 128,
            timeouts: Timeouts::default(),
            rates: Rates::default(),
            identification: Identification::default(),
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
