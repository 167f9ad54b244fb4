//! Options for who is let in.

use std::path::PathBuf;

use http_concurrent::server::{NetworkRules, PasswordSettings, ServerConfig};
use ipnet::IpNet;

use super::limits::parse_network;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Access")]
pub(super) struct AccessArgs {
    /// Addresses that are let in; all others receive 403. May be repeated [default: all]
    #[arg(long, value_name = "CIDR", value_parser = parse_exact_network)]
    allow: Vec<IpNet>,

    /// Addresses that receive 403, even if --allow names them; may be repeated
    #[arg(long, value_name = "CIDR", value_parser = parse_exact_network)]
    deny: Vec<IpNet>,

    /// Users and hashes of their passwords (htpasswd -B, openssl passwd -6), one of which every request
    /// needs. SIGHUP reads the file again
    #[arg(long, value_name = "FILE")]
    auth: Option<PathBuf>,

    /// What browsers show when they ask for a password
    #[arg(long, value_name = "TEXT", default_value = "files", requires = "auth",
          value_parser = parse_realm)]
    realm: String,
}

impl AccessArgs {
    pub(super) fn apply(self, config: &mut ServerConfig) {
        let Self { allow, deny, auth, realm } = self;
        config.networks = NetworkRules { allow, deny };
        config.passwords = auth.map(|file| PasswordSettings { file, realm });
    }
}

/// A network whose address has no bits beyond its prefix. `10.1.2.3/8` may be meant as one address: as a network it
/// would let in, or deny, more.
fn parse_exact_network(text: &str) -> Result<IpNet, String> {
    let network = parse_network(text)?;
    if network.addr() == network.network() {
        return Ok(network);
    }
    let (whole, address) = (network.trunc(), IpNet::from(network.addr()));
    Err(format!("its address has bits beyond its prefix: write {whole} or {address}"))
}

fn parse_realm(text: &str) -> Result<String, String> {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("write it with ASCII characters".to_owned())
    }
}
