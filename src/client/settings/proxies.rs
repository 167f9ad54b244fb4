//! The proxies of the variables `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.
//!
//! The variables are read as by curl (curl manual, "ENVIRONMENT"): in lower case, and all but `http_proxy` in
//! upper case too. The client of a CGI program can set `HTTP_PROXY`.

use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;
use url::Url;

use crate::client::credentials::Credentials;
use crate::client::zone;

/// An HTTP/1.1 proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// An `http` URL, of which the host and the port are used.
    pub(crate) url: Url,
    pub(crate) credentials: Option<Credentials>,
}

/// The proxies of a run; none by default.
///
/// A proxy that cannot be used is an error of the URLs that would go through it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<Result<Proxy, ProxyError>>,
    https: Option<Result<Proxy, ProxyError>>,
    exceptions: Exceptions,
}

/// A variable with a proxy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "cannot use the proxy that the variable {variable} names (no_proxy names the hosts to reach \
     without it)"
)]
pub struct ProxyError {
    pub variable: &'static str,
    #[source]
    pub problem: ProxyProblem,
}

/// Why a proxy cannot be used. The value is not repeated: it may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProxyProblem {
    /// Neither a URL nor a host with an optional port.
    #[error("its URL is malformed")]
    Malformed(#[source] url::ParseError),
    /// A scheme other than `http`.
    #[error("the scheme {0} is not supported, only http is")]
    Scheme(String),
    /// The zone of an IPv6 address names no interface of this machine.
    #[error("this machine has no interface \"{}\"", .0.escape_debug())]
    Zone(String),
}

/// Hosts that are reached without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Exceptions {
    all: bool,
    hosts: Vec<String>,
}

impl Proxies {
    /// Reads the variables, whose values `variable` looks up.
    #[must_use]
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| value(name).map(|value| (*name, value)))
        };
        let any = ["all_proxy", "ALL_PROXY"];
        let http = first(&["http_proxy"]).or_else(|| first(&any));
        let https = first(&["https_proxy", "HTTPS_PROXY"]).or_else(|| first(&any));
        let proxy = |found: Option<(&'static str, String)>| {
            let (variable, value) = found?;
            Some(parse(&value).map_err(|problem| ProxyError { variable, problem }))
        };
        let exceptions = first(&["no_proxy", "NO_PROXY"]);
        Self {
            http: proxy(http),
            https: proxy(https),
            exceptions: Exceptions::parse(exceptions.as_ref().map_or("", |(_, value)| value)),
        }
    }

    /// Checks whether the proxy for a URL can be used, if there is one.
    ///
    /// # Errors
    /// If the proxy cannot be used.
    pub fn check(&self, url: &Url) -> Result<(), ProxyError> {
        self.for_url(url).map(drop)
    }

    /// The proxy for a URL, if there is one.
    ///
    /// # Errors
    /// If the proxy cannot be used.
    pub(crate) fn for_url(&self, url: &Url) -> Result<Option<&Proxy>, ProxyError> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let proxy = proxy.as_ref().filter(|_| !self.exceptions.include(url));
        proxy.map(Result::as_ref).transpose().map_err(Clone::clone)
    }
}

fn parse(value: &str) -> Result<Proxy, ProxyProblem> {
    let value = value.trim();
    let with_scheme =
        if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let with_scheme =
        zone::encode(&with_scheme).map_err(|zone::UnknownZone(zone)| ProxyProblem::Zone(zone))?;
    let mut url = Url::parse(&with_scheme).map_err(ProxyProblem::Malformed)?;
    if url.scheme() != "http" {
        return Err(ProxyProblem::Scheme(url.scheme().to_owned()));
    }
    let credentials = Credentials::take_from(&mut url);
    Ok(Proxy { url, credentials })
}

impl Exceptions {
    fn parse(list: &str) -> Self {
        let entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        let hosts: Vec<_> = entries.map(str::to_ascii_lowercase).collect();
        Self { all: hosts.iter().any(|host| host == "*"), hosts }
    }

    /// An entry is a host, a domain with its subdomains (with or without a leading dot), an address or a
    /// network, optionally with a port.
    fn include(&self, url: &Url) -> bool {
        let url = zone::strip(url);
        let Some(host) = url.host_str() else { return false };
        let host = host.trim_end_matches('.').trim_matches(['[', ']']);
        let port = url.port_or_known_default();
        self.all
            || self.hosts.iter().any(|entry| {
                let (name, only_port) = split_port(entry);
                let name = name.trim_start_matches('.').trim_matches(['[', ']']);
                let same_host = match (network(name), host.parse::<IpAddr>()) {
                    (Some(network), Ok(address)) => network.contains(&address),
                    _ => {
                        host == name
                            || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
                    }
                };
                same_host && only_port.is_none_or(|only| Some(only) == port)
            })
    }
}

/// A network, or a single address.
fn network(name: &str) -> Option<IpNet> {
    name.parse().ok().or_else(|| name.parse::<IpAddr>().ok().map(IpNet::from))
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
            port.parse().map_or((entry, None), |port| (host, Some(port)))
        }
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::error_chain::error_chain;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from_variables(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy_of(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = proxies(variables);
        let proxy = proxies.for_url(&Url::parse(url).unwrap()).unwrap();
        proxy.map(|proxy| proxy.url.to_string())
    }

    #[test]
    fn the_scheme_chooses_the_proxy() {
        let both = [("http_proxy", "p:1"), ("HTTPS_PROXY", "http://q:2")];
        assert_eq!(proxy_of(&both, "http://a/").as_deref(), Some("http://p:1/"));
        assert_eq!(proxy_of(&both, "https://a/").as_deref(), Some("http://q:2/"));
        assert_eq!(proxy_of(&[("all_proxy", "p")], "https://a/").as_deref(), Some("http://p/"));
        let zoned = [("http_proxy", "[fe80::2%251]:3")];
        assert_eq!(proxy_of(&zoned, "http://a/").as_deref(), Some("http://[fe80:1::2]:3/"));
        for variables in [&[("HTTP_PROXY", "p")][..], &[("http_proxy", "")], &[]] {
            assert_eq!(proxy_of(variables, "http://a/"), None, "{variables:?}");
        }
    }

    #[test]
    fn exceptions_are_hosts_domains_and_addresses() {
        for (list, url, excepted) in [
            ("example.org", "http://example.org/", true),
            ("example.org", "http://www.example.org/", true),
            (".example.org", "http://www.example.org/", true),
            ("example.org", "http://badexample.org/", false),
            ("a, example.org:8080", "http://example.org:8080/", true),
            ("example.org:8080", "http://example.org/", false),
            ("127.0.0.1", "http://127.0.0.1:99/", true),
            ("::1", "http://[::1]/", true),
            ("[::1]:80", "http://[::1]/", true),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("10.0.0.0/8", "http://10.example/", false),
            ("*", "http://anything/", true),
            ("", "http://anything/", false),
            // The zone is encoded in the second group of the address.
            ("fe80::2", "http://[fe80:1::2]/", true),
            ("fe80::2", "http://[fe80:1::3]/", false),
        ] {
            let found = proxy_of(&[("http_proxy", "p"), ("no_proxy", list)], url);
            assert_eq!(found.is_none(), excepted, "{list:?} {url}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_of_its_urls() {
        let url = |text| Url::parse(text).unwrap();
        for (value, reason) in [
            ("socks5://u:secret@p", "the scheme socks5 is not supported"),
            ("socks5h://p:1080", "the scheme socks5h is not supported"),
            ("https://u:secret@p", "the scheme https is not supported"),
            ("http://", "malformed: empty host"),
            ("p:99999", "malformed: invalid port number"),
            ("http://u:secret@[fe80::1%25no-such-link]", "no interface \"no-such-link\""),
            ("u:secret@:80", "malformed"),
        ] {
            for variable in ["http_proxy", "all_proxy"] {
                let proxies = proxies(&[(variable, value), ("no_proxy", "inside")]);
                let error = proxies.for_url(&url("http://a/")).unwrap_err();
                let message = error_chain(&error);
                assert!(message.contains(reason) && message.contains(variable), "{message}");
                assert!(!message.contains("secret"), "{message}");
                assert_eq!(proxies.for_url(&url("http://inside/")), Ok(None), "{value}");
                let https = proxies.for_url(&url("https://a/"));
                assert_eq!(https.is_err(), variable == "all_proxy", "{value}");
            }
            // The variable of the scheme precedes `all_proxy`.
            let both = proxies(&[("all_proxy", value), ("http_proxy", "p")]);
            assert!(both.for_url(&url("http://a/")).unwrap().is_some(), "{value}");
        }
        let proxies = proxies(&[("http_proxy", "http://u:secret@p:3")]);
        let proxy = proxies.http.unwrap().unwrap();
        assert_eq!(proxy.url.as_str(), "http://p:3/");
        assert!(proxy.credentials.is_some());
    }
}
