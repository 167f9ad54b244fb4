//! Who may see the server's status, and under which host names.
//!
//! A client's address identifies a machine, not the origin of the request: a web page of any origin can
//! make a browser on this machine connect to the server. It could also read the response if its own host
//! name resolved to this machine (DNS rebinding). The browser then sends that name in `Host`, so the status
//! is shown only under names that no other site can have: IP addresses, `localhost`, and names that the
//! operator gives.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use thiserror::Error;

use crate::http::{Host, RequestHead, parse_host, split_absolute};
use crate::server::limits::client::{Client, Location, contains};

/// The path of the status page, and who may see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusAccess {
    /// The absolute path of the status page. Clients that may see it get no file of this name.
    pub path: String,
    /// Networks that may see it, besides this machine. A proxy may, on its own behalf, if its single address is
    /// one of them.
    pub allow: Vec<IpNet>,
    /// Host names under which it is shown, besides `localhost` and IP addresses.
    pub hosts: Vec<StatusHost>,
}

/// A host name: ASCII (RFC 5890), in lower case, without a final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusHost(String);

/// The text is not a host name, or is an IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("write a name without a port, such as status.example.org (IP addresses are allowed)")]
pub struct StatusHostError;

impl FromStr for StatusHost {
    type Err = StatusHostError;

    fn from_str(text: &str) -> Result<Self, StatusHostError> {
        match url::Host::parse(text) {
            // Patterns are not supported: `*` would be compared as a name.
            Ok(url::Host::Domain(name)) if !name.contains('*') => {
                let name = name.strip_suffix('.').unwrap_or(&name);
                if name.is_empty() { Err(StatusHostError) } else { Ok(Self(name.to_owned())) }
            }
            _ => Err(StatusHostError),
        }
    }
}

/// True if one of the networks is this single address.
fn names(networks: &[IpNet], address: IpAddr) -> bool {
    let single = IpNet::from(address.to_canonical());
    networks.contains(&single)
}

impl StatusAccess {
    /// Whether a request that begins with these bytes may be one for the status.
    pub(crate) fn may_be_asked_by(&self, beginning: &[u8]) -> bool {
        let mut words = beginning.split(|byte| *byte == b' ').skip(1);
        let (target, is_whole) = (words.next().unwrap_or_default(), words.next().is_some());
        if is_whole {
            self.query(target).is_some()
        } else {
            self.path.as_bytes().starts_with(target)
        }
    }

    /// Whether a client may see the status under an allowed host name. A client of unknown address may not.
    pub(crate) fn allows(&self, client: &Client) -> bool {
        match client.location {
            Location::ThisMachine => true,
            Location::Elsewhere => contains(&self.allow, client.address),
            // Clients that HAProxy got over a Unix socket look the same: a network is not enough.
            Location::Proxy => names(&self.allow, client.address),
            Location::Unknown => false,
        }
    }

    /// The query of a request target with the path of the status page; empty if there is none. `None`
    /// for other targets, and for an absolute-form target with an invalid authority.
    pub(crate) fn query<'t>(&self, target: &'t [u8]) -> Option<&'t [u8]> {
        let target = match split_absolute(target) {
            Some((authority, rest)) => parse_host(authority).map(|_| rest)?,
            None => target,
        };
        let rest = target.strip_prefix(self.path.as_bytes())?;
        match rest {
            [] => Some(rest),
            [b'?', query @ ..] => Some(query),
            _ => None,
        }
    }

    /// Whether the status may be shown under the host of a request: the authority of an absolute-form target,
    /// which replaces `Host` (RFC 9112 §3.2.2), else `Host`.
    ///
    /// A request without a host is HTTP/1.0, which some monitors send, and browsers do not. Names beneath
    /// `localhost` (RFC 6761 §6.3) are not allowed: some browsers resolve them by DNS.
    pub(crate) fn is_shown_under_host_of(&self, head: &RequestHead) -> bool {
        let authority = split_absolute(head.target()).map(|(authority, _)| authority);
        let Some(host) = authority.or_else(|| head.fields().first("Host")) else { return true };
        match parse_host(host) {
            Some(Host::Address(_)) => true,
            Some(Host::Name(name)) => {
                let name = name.strip_suffix(b".").unwrap_or(name);
                let mut names = self.hosts.iter().map(|StatusHost(name)| name.as_str());
                let is_name = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
                is_name("localhost") || names.any(is_name)
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeadScan;

    fn access() -> StatusAccess {
        StatusAccess {
            path: "/status".to_owned(),
            allow: Vec::new(),
            hosts: ["Status.Example.", "k\u{f6}ln.example"]
                .map(|name| name.parse().unwrap())
                .into(),
        }
    }

    fn head(text: &str) -> RequestHead {
        let mut head = RequestHead::default();
        head.receive(&mut HeadScan::default(), text.as_bytes()).unwrap().unwrap();
        head
    }

    #[test]
    fn the_status_is_shown_under_names_that_no_other_site_can_have() {
        for (host, is_shown) in [
            ("localhost", true),
            ("LocalHost:20001", true),
            ("localhost.", true),
            ("localhost.:80", true),
            ("127.0.0.1:20001", true),
            ("192.0.2.1", true),
            ("[::1]:20001", true),
            ("[2001:db8::1]", true),
            ("status.example", true),
            ("STATUS.example.:8080", true),
            ("xn--kln-sna.example", true),
            ("rebound.example", false),
            ("other.status.example", false),
            ("status.example.org", false),
            ("status.example..", false),
            ("files.localhost", false),
            ("localhost..", false),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("127.0.0.1.", false),
            ("127.1", false),
            ("2130706433", false),
            ("%6cocalhost", false),
            (".", false),
        ] {
            let origin = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let absolute = format!("GET http://{host}/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let replaced = format!("GET http://[::1]/status HTTP/1.1\r\nHost: {host}\r\n\r\n");
            for (text, expected) in [(origin, is_shown), (absolute, is_shown), (replaced, true)] {
                assert_eq!(access().is_shown_under_host_of(&head(&text)), expected, "{text}");
            }
        }
        assert!(access().is_shown_under_host_of(&head("GET /status HTTP/1.0\r\n\r\n")));
        assert!(!access().is_shown_under_host_of(&head("GET /status HTTP/1.0\r\nHost: a\r\n\r\n")));
    }

    #[test]
    fn a_host_is_given_as_a_name_without_a_port() {
        for (text, expected) in [
            ("status.example", Some("status.example")),
            ("a_b", Some("a_b")),
            ("", None),
            (".", None),
            ("status.example:80", None),
            ("http://status.example", None),
            ("status.example/", None),
            ("127.0.0.1", None),
            ("127.1", None),
            ("[::1]", None),
            ("a b", None),
            ("*", None),
        ] {
            let found = text.parse().map(|StatusHost(name)| name).ok();
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_request_says_whether_it_may_be_for_the_status() {
        for (beginning, expected) in [
            ("", true),
            ("GE", true),
            ("GET ", true),
            ("GET /sta", true),
            ("GET /status", true),
            ("GET /status?a HTTP/1.1", true),
            ("GET http://a/status HTTP/1.1", true),
            ("GET /status2", false),
            ("GET /other", false),
            ("GET /sta HTTP/1.1", false),
            ("GET /a HTTP/1.1\r\nReferer: /status \r\n", false),
        ] {
            let found = access().may_be_asked_by(beginning.as_bytes());
            assert_eq!(found, expected, "{beginning}");
        }
    }

    #[test]
    fn the_path_is_found_in_both_forms_of_a_target() {
        for (target, expected) in [
            ("/status", Some("")),
            ("/status?", Some("")),
            ("/status?a=b?c", Some("a=b?c")),
            ("http://a:80/status?a", Some("a")),
            ("HTTPS://[::1]/status", Some("")),
            ("/status/", None),
            ("/statuses", None),
            ("/a/status", None),
            ("http://a", None),
            ("http://a?/status", None),
            ("http:///status", None),
            ("http://user@a/status", None),
            ("ftp://a/status", None),
            ("status", None),
        ] {
            let expected = expected.map(str::as_bytes);
            assert_eq!(access().query(target.as_bytes()), expected, "{target}");
        }
    }
}
