//! Identifies clients: the part of an address that counts, the clients that are exempt from the per-client
//! limit, and the addresses of proxies.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

use crate::net::proxy_protocol::Source;

/// How clients are identified.
#[derive(Clone, Debug)]
pub struct Identification {
    /// How many leading bits of an IPv6 address identify a client. Default 64, as a household or a server
    /// usually has a /64 (RFC 6177); with 128 each address is a client.
    pub ipv6_prefix: u8,
    /// Networks exempt from the per-client limit, though not from the total. Default none.
    pub exempt: Vec<IpNet>,
    /// Networks of proxies. A connection from them must begin with a PROXY header; its source is the
    /// client (HAProxy: `proxy-protocol.txt`). From others the header is a malformed request. Default none.
    pub proxies: Vec<IpNet>,
}

impl Default for Identification {
    fn default() -> Self {
        Self { ipv6_prefix: 64, exempt: Vec::new(), proxies: Vec::new() }
    }
}

/// The client of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// The key by which the limits count: the IPv4 address, or the first address of the IPv6 prefix.
    pub(crate) key: IpAddr,
    /// The whole address, for the log.
    pub(crate) address: IpAddr,
    /// True if the per-client limit does not apply.
    pub(crate) exempt: bool,
    pub(crate) location: Location,
}

/// Where a client is, according to its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// On this machine: a loopback address, of the peer or given by a proxy on this machine.
    ThisMachine,
    /// Any other address.
    Elsewhere,
    /// Behind a proxy that gave no address, or a loopback address of its own machine: the address is the
    /// proxy's.
    Unknown,
    /// A proxy that gave no client, as it opened the connection itself: the address is its own.
    Proxy,
}

impl Identification {
    /// The client with this address. An IPv4-mapped IPv6 address is the same client as the IPv4 address
    /// (RFC 4291 §2.5.5.2).
    pub(crate) fn client(&self, address: IpAddr) -> Client {
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

    /// The client behind a proxy, by the source in its PROXY header.
    ///
    /// Without an address the client is unknown. All unknown clients are counted together under the proxy's
    /// address, but have none of its rights: they are neither exempt nor may they see the status page. The
    /// same holds for a loopback address from a proxy on another machine, as it means that machine. The proxy itself
    /// is counted with them.
    pub(crate) fn client_behind(&self, proxy: IpAddr, source: Source) -> Client {
        let is_of_proxys_machine = |source: IpAddr| {
            source.to_canonical().is_loopback() && !proxy.to_canonical().is_loopback()
        };
        let location = match source {
            Source::Client(source) if !is_of_proxys_machine(source.ip()) => {
                return self.client(source.ip());
            }
            Source::Client(_) | Source::Unknown => Location::Unknown,
            Source::Proxy => Location::Proxy,
        };
        Client { exempt: false, location, ..self.client(proxy) }
    }

    /// The client as text: its address, or its network with the prefix length.
    pub(crate) fn name(&self, key: IpAddr) -> String {
        match key {
            IpAddr::V6(_) if self.ipv6_prefix < 128 => format!("{key}/{}", self.ipv6_prefix),
            _ => key.to_string(),
        }
    }

    /// True if connections from this address begin with a PROXY header.
    #[must_use]
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        contains(&self.proxies, address)
    }
}

/// True if one of the networks contains the address; an IPv4-mapped IPv6 address counts as IPv4.
pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

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
        use Location::{Elsewhere, Proxy, ThisMachine, Unknown};
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
            let address_and_port = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 80);
            let named = source.map_or(Source::Unknown, |ip| Source::Client(address_and_port(ip)));
            let client = identification.client_behind(proxy.parse().unwrap(), named);
            let found = (client.address, client.exempt, client.location);
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(found, (address, exempt, location), "{proxy} {source:?}");
            assert_eq!(client.key, identification.client(address).key, "{proxy} {source:?}");
        }
        for proxy in ["127.0.0.1", "192.0.2.1"] {
            let client = identification.client_behind(proxy.parse().unwrap(), Source::Proxy);
            assert_eq!((client.exempt, client.location), (false, Proxy), "{proxy}");
            assert_eq!(client.address.to_string(), proxy);
        }
    }

    #[test]
    fn networks_contain_ipv4_addresses_in_both_forms() {
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
