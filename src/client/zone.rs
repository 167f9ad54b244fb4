//! Zones of IPv6 addresses: `http://[fe80::1%25eth0]/` is the host `fe80::1` on the link of `eth0`
//! (RFC 6874, RFC 4007 §11).
//!
//! The URL standard has no zones. A link-local address has 54 bits that are always zero (RFC 4291 §2.5.6), so
//! the number of the interface is encoded in the second group of the address, as in the KAME kernels. Equal
//! URLs then are on the same link. The number is removed wherever the address leaves the program, for the
//! socket, the server and file names; messages have the zone as users write it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs as _};

use url::{Host, Url};

/// A zone that is no interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnknownZone(pub(super) String);

/// The URL with its zone, if it has one, encoded in the address. The percent sign may be encoded (RFC 6874)
/// or not.
///
/// # Errors
/// If no interface has the name or number of the zone.
pub(super) fn encode(text: &str) -> Result<Cow<'_, str>, UnknownZone> {
    let Some(Zoned { before, address, zone, after }) = split_zone(text) else {
        return Ok(text.into());
    };
    let Ok(address) = address.parse() else { return Ok(text.into()) };
    let interface = interface(zone).ok_or_else(|| UnknownZone(zone.to_owned()))?;
    Ok(format!("{before}{}{after}", with_interface(address, interface)).into())
}

/// The parts of a URL whose host is an IPv6 address with a zone.
struct Zoned<'u> {
    before: &'u str,
    address: &'u str,
    zone: &'u str,
    after: &'u str,
}

fn split_zone(text: &str) -> Option<Zoned<'_>> {
    let authority = text.find("://")? + "://".len();
    let end = text[authority..].find(['/', '?', '#']).map_or(text.len(), |at| authority + at);
    let start = text[authority..end].rfind('@').map_or(authority, |at| authority + at + 1);
    let host = text[start..end].strip_prefix('[')?;
    let (host, _) = host.split_once(']')?;
    let (address, zone) = host.split_once('%')?;
    let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    let after = &text[start + 1 + host.len()..];
    Some(Zoned { before: &text[..=start], address, zone, after })
}

/// The number of the interface with this name or number.
fn interface(zone: &str) -> Option<u16> {
    // The resolver translates names of interfaces. A literal address needs no look-up.
    let addresses = (format!("fe80::1%{zone}"), 0).to_socket_addrs().ok()?;
    addresses.into_iter().find_map(|address| match address {
        SocketAddr::V6(address) => u16::try_from(address.scope_id()).ok().filter(|id| *id > 0),
        SocketAddr::V4(_) => None,
    })
}

/// Only link-local addresses have a zone.
fn with_interface(address: Ipv6Addr, interface: u16) -> Ipv6Addr {
    let mut groups = address.segments();
    if address.is_unicast_link_local() {
        groups[1] = interface;
    }
    groups.into()
}

/// The address without the number of its interface, and that number, 0 for none.
fn split_interface(address: Ipv6Addr) -> (Ipv6Addr, u16) {
    if address.is_unicast_link_local() {
        (with_interface(address, 0), address.segments()[1])
    } else {
        (address, 0)
    }
}

/// The socket address of an IPv6 address of a URL.
pub(super) fn socket_address(address: Ipv6Addr, port: u16) -> SocketAddr {
    let (address, interface) = split_interface(address);
    SocketAddrV6::new(address, port, 0, interface.into()).into()
}

/// The URL without its zone, as it is sent to the server.
pub(super) fn strip(url: &Url) -> Cow<'_, Url> {
    match url.host() {
        Some(Host::Ipv6(address)) if split_interface(address).1 != 0 => {
            let mut plain = url.clone();
            set_address(&mut plain, split_interface(address).0);
            Cow::Owned(plain)
        }
        _ => Cow::Borrowed(url),
    }
}

/// The host of a URL with its zone, if it has one, for messages: the name of the interface or else its number.
pub(super) fn display_host(url: &Url) -> Option<String> {
    let Some(Host::Ipv6(address)) = url.host() else { return None };
    let (address, interface) = split_interface(address);
    let zone = || name(interface).unwrap_or_else(|| interface.to_string());
    (interface != 0).then(|| format!("[{address}%25{}]", zone()))
}

/// The name of the interface with this number (netdevice(7)).
#[cfg(target_os = "linux")]
fn name(interface: u16) -> Option<String> {
    let any_socket = std::os::unix::net::UnixDatagram::unbound().ok()?;
    rustix::net::netdevice::index_to_name(any_socket, interface.into()).ok()
}

#[cfg(not(target_os = "linux"))]
fn name(_interface: u16) -> Option<String> {
    None
}

/// Gives the target of a redirect the zone of the URL that was requested, if its address is the same: servers
/// do not know the zones of their clients.
pub(super) fn inherit(from: &Url, target: &mut Url) {
    if let (Some(Host::Ipv6(zoned)), Some(Host::Ipv6(address))) = (from.host(), target.host())
        && split_interface(zoned) != (address, 0)
        && split_interface(zoned).0 == address
    {
        set_address(target, zoned);
    }
}

fn set_address(url: &mut Url, address: Ipv6Addr) {
    let replaced = url.set_ip_host(IpAddr::V6(address));
    debug_assert!(replaced.is_ok(), "a URL with a host accepts any address");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::redact::redacted_url;

    /// The loopback interface, which every machine has, with the number 1.
    const LOOPBACK: &str = if cfg!(target_os = "linux") { "lo" } else { "lo0" };

    #[test]
    fn a_zone_is_encoded_in_link_local_addresses_alone() {
        for (text, expected) in [
            ("http://[fe80::2%25lo]:81/a%25b", "http://[fe80:1::2]:81/a%25b"),
            ("http://u:p@[fe80::2%lo]?q", "http://u:p@[fe80:1::2]?q"),
            ("https://[fe80::2%251]/", "https://[fe80:1::2]/"),
            ("http://[fe80::2%1]/", "http://[fe80:1::2]/"),
            ("http://[::1%25lo]/", "http://[::1]/"),
            ("http://[fe80::2]/", "http://[fe80::2]/"),
            ("http://a/[fe80::2%25lo]", "http://a/[fe80::2%25lo]"),
            ("http://a%25lo/", "http://a%25lo/"),
            ("http://[nonsense%25lo]/", "http://[nonsense%25lo]/"),
        ] {
            let text = text.replace("lo]", &format!("{LOOPBACK}]"));
            let expected = expected.replace("lo]", &format!("{LOOPBACK}]"));
            assert_eq!(encode(&text).as_deref(), Ok(&*expected), "{text}");
        }
        for (text, zone) in [
            ("http://[fe80::2%25no-such-link]/", "no-such-link"),
            ("http://[fe80::2%25]/", "25"),
            ("http://[fe80::2%]/", ""),
            ("http://[fe80::2%250]/", "0"),
        ] {
            let unknown = UnknownZone(zone.to_owned());
            // An interface may have the number 25.
            if zone != "25" {
                assert_eq!(encode(text), Err(unknown), "{text}");
            }
        }
    }

    #[test]
    fn the_zone_leaves_the_program_as_a_scope_and_no_other_way() {
        let url = Url::parse("http://[fe80:7::2]:81/a").unwrap();
        assert_eq!(strip(&url).as_str(), "http://[fe80::2]:81/a");
        let text = format!("http://[fe80::2%25{LOOPBACK}]:81/a?b");
        assert_eq!(redacted_url(&Url::parse(&encode(&text).unwrap()).unwrap()), text);
        let no_interface = Url::parse("https://[fe80:ffff::2]/").unwrap();
        assert_eq!(redacted_url(&no_interface), "https://[fe80::2%2565535]/");
        let address = socket_address("fe80:7::2".parse().unwrap(), 81);
        assert_eq!(address, "[fe80::2%7]:81".parse().unwrap());
        let plain = Url::parse("http://[2001:7::2]/a").unwrap();
        assert_eq!(*strip(&plain), plain);
        assert_eq!(redacted_url(&plain), plain.as_str());
        assert_eq!(socket_address("::1".parse().unwrap(), 80), "[::1]:80".parse().unwrap());
    }

    #[test]
    fn a_redirect_to_the_same_address_stays_on_the_link() {
        let from = Url::parse("http://[fe80:7::2]:81/a").unwrap();
        for (target, expected) in [
            ("http://[fe80::2]:82/b", "http://[fe80:7::2]:82/b"),
            ("http://[fe80::3]/b", "http://[fe80::3]/b"),
            ("http://a/b", "http://a/b"),
        ] {
            let mut target = Url::parse(target).unwrap();
            inherit(&from, &mut target);
            assert_eq!(target.as_str(), expected);
        }
    }
}
