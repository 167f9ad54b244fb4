//! Who is a client: what of an address counts, who is free of the client's limit, and who speaks for
//! others.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

/// How clients are told apart.
#[derive(Clone, Debug)]
pub struct Identification {
    /// How many leading bits of an IPv6 address are the client's. A home or a server owns a /64 as a
    /// rule (RFC 6177), so 64 is the default; 128 tells single addresses apart.
    pub ipv6_prefix: u8,
    /// Addresses that are free of the per-client limit, though never of the total.
    pub exempt: Vec<IpNet>,
    /// Proxies: connections from these addresses must begin with a PROXY header, whose source is then
    /// the client. From others a header is refused, as a malformed request.
    pub proxies: Vec<IpNet>,
}

impl Default for Identification {
    fn default() -> Self {
        Self { ipv6_prefix: 64, exempt: Vec::new(), proxies: Vec::new() }
    }
}

/// Whose slot a connection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The IPv4 address, or the first address of the IPv6 prefix.
    pub key: IpAddr,
    /// The whole address, for the log.
    pub address: IpAddr,
    /// Free of the per-client limit.
    pub exempt: bool,
    pub location: Location,
}

/// Where a client is, as far as its address tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// On this machine: a loopback address, its own or given by a proxy on this machine.
    ThisMachine,
    /// Wherever its address is.
    Elsewhere,
    /// Behind a proxy that gave no address of it: the address is the proxy's.
    Unknown,
}

impl Identification {
    /// The client at an address. An IPv4 address written as an IPv6 one is the same client
    /// (RFC 4291 §2.5.5.2).
    #[must_use]
    pub fn client(&self, address: IpAddr) -> Client {
        let address = address.to_canonical();
        let key = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(ip) => Ipv6Net::new(ip, self.ipv6_prefix.min(128))
                .map_or(address, |prefix| prefix.network().into()),
        };
        let location =
            if address.is_loopback() { Location::ThisMachine } else { Location::Elsewhere };
        Client { key, address, exempt: contains(&self.exempt, address), location }
    }

    /// The client for which a proxy connects, by the source in its header.
    ///
    /// Without one nobody knows who it is. It is counted as the proxy, together with all others of its
    /// kind, but it is not taken for it: what the proxy's address is free of or may see, it is not. The
    /// same holds for a loopback address from a proxy on another machine, since it is of that machine.
    #[must_use]
    pub fn client_behind(&self, proxy: IpAddr, source: Option<IpAddr>) -> Client {
        let is_of_proxys_machine = |source: IpAddr| {
            source.to_canonical().is_loopback() && !proxy.to_canonical().is_loopback()
        };
        match source {
            Some(source) if !is_of_proxys_machine(source) => self.client(source),
            _ => Client { exempt: false, location: Location::Unknown, ..self.client(proxy) },
        }
    }

    /// How a client is written: its address, or its network where it is one.
    #[must_use]
    pub fn name(&self, key: IpAddr) -> String {
        match key {
            IpAddr::V6(_) if self.ipv6_prefix < 128 => format!("{key}/{}", self.ipv6_prefix),
            _ => key.to_string(),
        }
    }

    /// Connections from this address speak for others.
    #[must_use]
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        contains(&self.proxies, address)
    }
}

/// Whether one of the networks has the address, written as IPv4 or as IPv6.
#[must_use]
pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_its_client() {
        let identification = |ipv6_prefix| Identification { ipv6_prefix, ..Default::default() };
        for (prefix, address, key) in [
            (64, "127.0.0.1", "127.0.0.1"),
            (64, "::ffff:127.0.0.1", "127.0.0.1"),
            (64, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            (128, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"),
            (48, "2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            (64, "::1", "::"),
        ] {
            let client = identification(prefix).client(address.parse().unwrap());
            assert_eq!(client.key, key.parse::<IpAddr>().unwrap(), "{address}/{prefix}");
            let is_network = address.contains(':') && !address.contains('.') && prefix < 128;
            let name = if is_network { format!("{key}/{prefix}") } else { key.to_owned() };
            assert_eq!(identification(prefix).name(client.key), name);
            assert!(!client.exempt);
        }
    }

    #[test]
    fn a_client_without_an_address_is_counted_as_its_proxy_and_has_none_of_its_rights() {
        use Location::{Elsewhere, ThisMachine, Unknown};
        let identification = Identification {
            exempt: vec!["127.0.0.0/8".parse().unwrap(), "192.0.2.0/24".parse().unwrap()],
            ..Default::default()
        };
        for (proxy, source, address, exempt, location) in [
            ("127.0.0.1", None, "127.0.0.1", false, Unknown),
            ("::1", None, "::1", false, Unknown),
            ("192.0.2.1", None, "192.0.2.1", false, Unknown),
            ("127.0.0.1", Some("203.0.113.9"), "203.0.113.9", false, Elsewhere),
            ("127.0.0.1", Some("192.0.2.9"), "192.0.2.9", true, Elsewhere),
            ("127.0.0.1", Some("127.0.0.2"), "127.0.0.2", true, ThisMachine),
            ("::ffff:127.0.0.1", Some("::1"), "::1", false, ThisMachine),
            ("192.0.2.1", Some("127.0.0.1"), "192.0.2.1", false, Unknown),
            ("192.0.2.1", Some("::1"), "192.0.2.1", false, Unknown),
            ("192.0.2.1", Some("::ffff:127.0.0.1"), "192.0.2.1", false, Unknown),
        ] {
            let source_address = source.map(|source| source.parse().unwrap());
            let client = identification.client_behind(proxy.parse().unwrap(), source_address);
            let found = (client.address, client.exempt, client.location);
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(found, (address, exempt, location), "{proxy} {source:?}");
            assert_eq!(client.key, identification.client(address).key, "{proxy} {source:?}");
        }
    }

    #[test]
    fn networks_have_addresses_in_both_spellings() {
        let identification = Identification {
            exempt: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            proxies: vec!["127.0.0.1/32".parse().unwrap()],
            ..Default::default()
        };
        for (address, exempt) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.1.2.3", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            let client = identification.client(address.parse().unwrap());
            assert_eq!(client.exempt, exempt, "{address}");
        }
        assert!(identification.is_proxy("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!identification.is_proxy("127.0.0.2".parse().unwrap()));
    }
}
