//! What the server is told: settings that are valid, with their defaults.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::admission::Limits;
use super::site::SiteSettings;

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
    pub site: SiteSettings,
}

/// How long peers may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a head, from its first byte to its last, and for a fresh connection to begin one.
    pub head: Duration,
    /// For the next request to begin on a connection that was kept.
    pub idle: Duration,
    /// For a peer to take anything at all of what is sent.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(5),
            stall: Duration::from_secs(30),
        }
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
            site: SiteSettings::default(),
        }
    }
}
