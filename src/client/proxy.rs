//! Which proxy a request goes through: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`.
//!
//! The variables are read as curl reads them: their names in small letters, and all but `http_proxy` in
//! capitals as well, since `HTTP_PROXY` is what a CGI program's client can set. How a request is put to
//! a proxy is the business of `connect` and `request`.

use std::net::IpAddr;
use std::{error, fmt};

use ipnet::IpNet;
use url::Url;

use super::credentials::Credentials;

/// A proxy that is spoken to over HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// An `http` URL of which host and port count.
    pub(super) url: Url,
    pub(super) credentials: Option<Credentials>,
}

/// The proxies of a run; by default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exceptions: Exceptions,
}

/// A variable that names no proxy that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyError {
    pub variable: &'static str,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value may have a password in it.
        write!(f, "the variable {} does not name a proxy that speaks http", self.variable)
    }
}

impl error::Error for ProxyError {}

/// Hosts that are reached without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Exceptions {
    all: bool,
    hosts: Vec<String>,
}

impl Proxies {
    /// What the variables say, which `variable` looks up.
    ///
    /// # Errors
    /// One of them is no proxy.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ProxyError> {
        let value = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| value(name).map(|value| (*name, value)))
        };
        let any = ["all_proxy", "ALL_PROXY"];
        let http = first(&["http_proxy"]).or_else(|| first(&any));
        let https = first(&["https_proxy", "HTTPS_PROXY"]).or_else(|| first(&any));
        let proxy = |found: Option<(&'static str, String)>| {
            found.map(|(variable, value)| parse(&value).ok_or(ProxyError { variable })).transpose()
        };
        let exceptions = first(&["no_proxy", "NO_PROXY"]);
        Ok(Self {
            http: proxy(http)?,
            https: proxy(https)?,
            exceptions: Exceptions::parse(exceptions.as_ref().map_or("", |(_, value)| value)),
        })
    }

    /// The proxy for a URL, if there is one.
    pub(super) fn for_url(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.exceptions.include(url))
    }
}

fn parse(value: &str) -> Option<Proxy> {
    let value = value.trim();
    let with_scheme =
        if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let mut url = Url::parse(&with_scheme).ok().filter(|url| url.scheme() == "http")?;
    let credentials = Credentials::take_from(&mut url);
    Some(Proxy { url, credentials })
}

impl Exceptions {
    fn parse(list: &str) -> Self {
        let entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        let hosts: Vec<_> = entries.map(str::to_ascii_lowercase).collect();
        Self { all: hosts.iter().any(|host| host == "*"), hosts }
    }

    /// An entry is a host, or a domain with all that is in it (a leading dot makes no difference), or
    /// an address, or a network of them; with a port it is for that port alone.
    fn include(&self, url: &Url) -> bool {
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

/// The addresses that are meant: those of a network, or a single one.
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

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, ProxyError> {
        Proxies::from_variables(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy_of(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = proxies(variables).unwrap();
        proxies.for_url(&Url::parse(url).unwrap()).map(|proxy| proxy.url.to_string())
    }

    #[test]
    fn the_scheme_chooses_the_proxy() {
        let both = [("http_proxy", "p:1"), ("HTTPS_PROXY", "http://q:2")];
        assert_eq!(proxy_of(&both, "http://a/").as_deref(), Some("http://p:1/"));
        assert_eq!(proxy_of(&both, "https://a/").as_deref(), Some("http://q:2/"));
        assert_eq!(proxy_of(&[("all_proxy", "p")], "https://a/").as_deref(), Some("http://p/"));
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
        ] {
            let found = proxy_of(&[("http_proxy", "p"), ("no_proxy", list)], url);
            assert_eq!(found.is_none(), excepted, "{list:?} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_named_without_its_password() {
        for value in ["socks5://u:secret@p", "https://p", "http://", "p:99999"] {
            let error = proxies(&[("http_proxy", value)]).unwrap_err();
            assert_eq!(error.variable, "http_proxy");
            assert!(!error.to_string().contains("secret"));
        }
        let proxies = proxies(&[("http_proxy", "http://u:secret@p:3")]).unwrap();
        let proxy = proxies.http.unwrap();
        assert_eq!(proxy.url.as_str(), "http://p:3/");
        assert!(proxy.credentials.is_some());
    }
}
