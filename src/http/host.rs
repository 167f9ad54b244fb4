//! The host in the `Host` field and in the authority of a request target (RFC 9110 §7.2, RFC 3986 §3.2.2).

// `core::net` has IP addresses as values; this layer uses no sockets.
use core::net::{IpAddr, Ipv4Addr};

use super::percent::is_percent_encoded;
use super::syntax::parse_decimal;

/// A host without its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// An IPv6 address (in brackets), or an IPv4 address of four decimal numbers.
    Address(IpAddr),
    /// A name as it was sent; not empty. Names are case-insensitive and may end with a dot.
    Name(&'a [u8]),
}

/// Parses a host with an optional port, which may be empty. `None` if it is malformed or contains user
/// information.
#[must_use]
pub fn parse_host(authority: &[u8]) -> Option<Host<'_>> {
    let (host, rest) = if authority.starts_with(b"[") {
        let end = authority.iter().position(|byte| *byte == b']')? + 1;
        let (address, rest) = authority.split_at(end);
        let Ok(url::Host::Ipv6(address)) = url::Host::parse(str::from_utf8(address).ok()?) else {
            return None;
        };
        (Host::Address(address.into()), rest)
    } else {
        let end = authority.iter().position(|byte| *byte == b':').unwrap_or(authority.len());
        let (name, rest) = authority.split_at(end);
        if !is_registered_name(name) {
            return None;
        }
        let address = str::from_utf8(name).ok().and_then(|name| name.parse::<Ipv4Addr>().ok());
        (address.map_or(Host::Name(name), |address| Host::Address(address.into())), rest)
    };
    let is_port = match rest {
        [] => true,
        [b':', port @ ..] => {
            port.is_empty() || parse_decimal(port).is_some_and(|port| u16::try_from(port).is_ok())
        }
        _ => false,
    };
    is_port.then_some(host)
}

/// Whether a value is valid in `Host` and as the authority of a target in absolute-form.
#[must_use]
pub fn is_host(authority: &[u8]) -> bool {
    parse_host(authority).is_some()
}

/// Whether a value is a non-empty `reg-name` (RFC 3986 §3.2.2). Its grammar includes IPv4 addresses.
fn is_registered_name(name: &[u8]) -> bool {
    let is_name_byte = |byte: &u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*'
        | b'+' | b';' | b'=' => true,
        byte => byte.is_ascii_alphanumeric(),
    };
    !name.is_empty() && name.iter().all(is_name_byte) && is_percent_encoded(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_hosts_are_accepted() {
        for (host, valid) in [
            ("localhost", true),
            ("localhost:", true),
            ("a.example:8080", true),
            ("127.0.0.1", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("", false),
            (":80", false),
            ("a b", false),
            ("a,b", false),
            ("a/b", false),
            ("a@b", false),
            ("a:b", false),
            ("a:80:80", false),
            ("a:65536", false),
            ("[::1", false),
            ("[]", false),
            ("[x]", false),
            ("[1]", false),
            ("[:::]", false),
            ("[127.0.0.1]", false),
            ("[::1%25lo]", false),
            ("[::1]x", false),
            ("a\"b", false),
            ("a%20b", true),
            ("a%2", false),
            ("a%%20", false),
            ("a%zz", false),
            ("\u{e4}.example", false),
        ] {
            assert_eq!(is_host(host.as_bytes()), valid, "{host:?}");
        }
    }

    #[test]
    fn addresses_and_names_are_distinguished() {
        for (authority, address) in [
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]:80", Some("::1")),
            ("[::ffff:127.0.0.1]", Some("::ffff:127.0.0.1")),
            ("localhost", None),
            ("127.0.0.1.", None),
            ("127.1", None),
            ("0x7f.0.0.1", None),
            ("127.0.0.01", None),
            ("2130706433", None),
            ("127.0.0.1.example", None),
        ] {
            let expected = match address {
                Some(address) => Host::Address(address.parse().unwrap()),
                None => Host::Name(authority.as_bytes()),
            };
            assert_eq!(parse_host(authority.as_bytes()), Some(expected), "{authority}");
        }
    }
}
