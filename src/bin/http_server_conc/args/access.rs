//! Options for who is let in.

use http_concurrent::server::{NetworkRules, ServerConfig};
use ipnet::IpNet;

use super::limits::parse_network;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Access")]
pub(super) struct AccessArgs {
    /// Addresses that are let in; all others receive 403. May be repeated [default: all]
    #[arg(long, value_name = "CIDR", value_parser = parse_network)]
    allow: Vec<IpNet>,

    /// Addresses that receive 403, even if --allow names them; may be repeated
    #[arg(long, value_name = "CIDR", value_parser = parse_network)]
    deny: Vec<IpNet>,
}

impl AccessArgs {
    pub(super) fn apply(self, config: &mut ServerConfig) {
        config.networks = NetworkRules { allow: self.allow, deny: self.deny };
    }
}
