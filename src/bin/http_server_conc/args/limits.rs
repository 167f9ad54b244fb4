//! Options for the number, duration and rate of connections.

use std::net::{AddrParseError, IpAddr};
use std::time::Duration;

use http_concurrent::cli;
use http_concurrent::server::{
    Enforcement, Identification, Limits, MaximumRates, Policy, Rates, ServerConfig, Timeouts,
    Waiting,
};
use ipnet::{IpNet, Ipv4Net};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Connections that one client (an IP address) may hold at a time
    #[arg(long, value_name = "N", default_value = "12", value_parser = cli::parse_positive)]
    maxclient: usize,

    /// Connections that all clients together may hold at a time
    #[arg(long, value_name = "N", default_value = "60", value_parser = cli::parse_positive)]
    maxtotal: usize,

    /// Leading bits of an IPv6 address that identify a client; 128 for single addresses
    #[arg(long, value_name = "BITS", default_value = "64",
          value_parser = clap::value_parser!(u8).range(1..=128))]
    ipv6_prefix: u8,

    /// Addresses without a per-client limit (the total still applies); may be repeated
    #[arg(long, value_name = "CIDR", value_parser = parse_network)]
    exempt: Vec<IpNet>,

    /// Proxies: connections from these addresses must begin with a PROXY header (v1 or v2), whose source
    /// is the client; may be repeated
    #[arg(long, value_name = "CIDR", value_parser = parse_network)]
    proxy_protocol: Vec<IpNet>,

    /// Only count and log what the limits would reject
    #[arg(long, conflicts_with = "wait_for_slot")]
    dry_run_limits: bool,

    /// How long a connection over a limit waits for a slot before it is rejected; 0 rejects it at once
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = cli::parse_duration)]
    wait_for_slot: Duration,

    /// Connections that may wait for a slot at a time; beyond that the client with the most loses its last
    #[arg(long, value_name = "N", default_value = "1000", value_parser = cli::parse_positive,
          requires = "wait_for_slot")]
    max_waiting: usize,

    /// Before rejecting a connection, close one that is idle between two requests
    #[arg(long)]
    reclaim_idle: bool,

    /// Time limit for the whole head of a request
    #[arg(long, value_name = "TIME", default_value = "10s",
          value_parser = cli::parse_positive_duration)]
    header_timeout: Duration,

    /// Time limit for the next request on a kept connection
    #[arg(long, value_name = "TIME", default_value = "5s",
          value_parser = cli::parse_positive_duration)]
    keep_alive_timeout: Duration,

    /// Requests served on one connection before it is closed
    #[arg(long, value_name = "N", default_value = "10000",
          value_parser = clap::value_parser!(u64).range(1..))]
    keep_alive_requests: u64,

    /// Bytes per second that a client must read of a response, on average over 20 s; 0 for none
    #[arg(long, value_name = "RATE", default_value = "1K", value_parser = cli::parse_size)]
    min_rate: u64,

    /// How long a server that is stopped goes on accepting connections, while its status page answers 503
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = cli::parse_duration)]
    drain_delay: Duration,

    /// Time limit for transfers to finish when the server is stopped, after that
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = cli::parse_duration)]
    drain_timeout: Duration,

    /// Most bytes per second to all connections of one client together, shared evenly between them
    #[arg(long, value_name = "RATE", value_parser = cli::parse_positive_size)]
    client_rate: Option<u64>,

    /// Most bytes per second to all clients together, shared evenly between them
    #[arg(long, value_name = "RATE", value_parser = cli::parse_positive_size)]
    total_rate: Option<u64>,

    /// Most bytes per second to each connection: a slow link, for experiments
    #[arg(long, value_name = "RATE", value_parser = cli::parse_positive_size)]
    limit_rate: Option<u64>,

    /// A pause before each response: a distant server, for experiments
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = cli::parse_duration)]
    delay: Duration,
}

impl LimitArgs {
    pub(super) fn apply(self, config: &mut ServerConfig) {
        config.limits = Limits { per_client: self.maxclient, total: self.maxtotal };
        config.waiting = Waiting { time: self.wait_for_slot, capacity: self.max_waiting };
        config.identification = Identification {
            ipv6_prefix: self.ipv6_prefix,
            exempt: self.exempt,
            proxies: self.proxy_protocol,
        };
        config.policy = Policy {
            enforcement: if self.dry_run_limits {
                Enforcement::DryRun
            } else {
                Enforcement::Enforced
            },
            reclaim_idle: self.reclaim_idle,
            keep_alive_requests: self.keep_alive_requests,
            delay: self.delay,
            ..Policy::default()
        };
        config.timeouts = Timeouts {
            head: self.header_timeout,
            idle: self.keep_alive_timeout,
            drain_delay: self.drain_delay,
            drain: self.drain_timeout,
            ..Timeouts::default()
        };
        let maximum = MaximumRates {
            connection: self.limit_rate,
            client: self.client_rate,
            total: self.total_rate,
        };
        config.rates = Rates { minimum: self.min_rate, maximum, ..Rates::default() };
    }
}

/// A network in CIDR notation, or a single address. IPv4 written as IPv6 (`::ffff:192.0.2.0/120`) is the
/// IPv4 network: clients are known by their IPv4 address.
pub(super) fn parse_network(text: &str) -> Result<IpNet, String> {
    let network: IpNet =
        text.parse().or_else(|_| text.parse().map(IpAddr::into)).map_err(|_: AddrParseError| {
            "write an address or a network, such as 192.0.2.0/24 or 2001:db8::/32".to_owned()
        })?;
    let mapped = match network {
        IpNet::V6(network) => {
            network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96))
        }
        IpNet::V4(_) => None,
    };
    Ok(mapped
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(network, IpNet::from))
}
