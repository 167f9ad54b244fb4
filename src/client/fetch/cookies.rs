//! The cookies that the redirects of one URL set (RFC 6265).
//!
//! A jar belongs to one chain of redirects: no cookie is kept for another URL or run. As a cookie may be a
//! secret, the jar is stricter than RFC 6265: without `Domain`, a cookie is sent to its own host and port
//! alone, and one received over TLS is sent over TLS alone. There is no list of public suffixes, so a
//! `Domain` that contains the host is accepted if it has a dot.

use std::cmp::Reverse;
use std::time::SystemTime;

use cookie::Cookie;
use cookie::time::OffsetDateTime;
use url::{Host, Url};

use crate::client::redact::redacted_url;
use crate::http::{Fields, is_field_value};
use crate::printable::escape_text;

/// The limit of cookies in a chain, the least that RFC 6265 §6.1 asks for per host.
const MAX_COOKIES: usize = 50;

/// The limit of all names and values together: servers accept little more in a request's head.
const MAX_COOKIE_BYTES: usize = 8 * 1024;

/// The cookies of one chain of redirects, in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct CookieJar {
    cookies: Vec<StoredCookie>,
}

#[derive(Debug)]
struct StoredCookie {
    name: Box<str>,
    value: Box<str>,
    scope: CookieScope,
    path: Box<str>,
    is_secure: bool,
}

/// The hosts that a cookie is sent to.
#[derive(Debug, PartialEq, Eq)]
enum CookieScope {
    /// The host that set it, at its port or at the default ports of both schemes.
    Host { host: Box<str>, port: Option<u16> },
    /// The host of this name and all within the domain.
    Domain(Box<str>),
}

impl CookieJar {
    /// Stores the cookies that a response from `url` sets, and removes those that it expires. Beyond the
    /// limits the oldest are removed.
    pub(super) fn store(&mut self, url: &Url, fields: &Fields<'_>, now: SystemTime) {
        for value in fields.all("Set-Cookie") {
            let parsed = str::from_utf8(value).ok().and_then(|text| Cookie::parse(text).ok());
            if let Some(cookie) = parsed {
                self.store_one(url, &cookie, now);
            }
        }
        let bytes = |stored: &StoredCookie| stored.name.len() + stored.value.len();
        let mut total: usize = self.cookies.iter().map(bytes).sum();
        while self.cookies.len() > MAX_COOKIES || total > MAX_COOKIE_BYTES {
            total -= bytes(&self.cookies.remove(0));
        }
    }

    fn store_one(&mut self, url: &Url, cookie: &Cookie<'_>, now: SystemTime) {
        let (name, value) = (cookie.name(), cookie.value());
        let Some(scope) = CookieScope::of(url, cookie.domain()) else {
            let (url, name) = (redacted_url(url), escape_text(name));
            log::debug!("{url}: ignoring the cookie {name}, which is for another host");
            return;
        };
        if !is_field_value(name.as_bytes()) || !is_field_value(value.as_bytes()) {
            return;
        }
        let path = cookie.path().filter(|path| path.starts_with('/'));
        let path = path.unwrap_or_else(|| default_path(url));
        let is_same = |stored: &StoredCookie| {
            *stored.name == *name && stored.scope == scope && *stored.path == *path
        };
        let before = self.cookies.iter().position(is_same);
        if is_expired(cookie, now) {
            before.map(|at| self.cookies.remove(at));
            return;
        }
        let stored = StoredCookie {
            name: name.into(),
            value: value.into(),
            scope,
            path: path.into(),
            is_secure: cookie.secure() == Some(true) || url.scheme() == "https",
        };
        match before {
            Some(at) => self.cookies[at] = stored,
            None => self.cookies.push(stored),
        }
    }

    /// The names and values to send with a request for `url`, the longest path first (RFC 6265 §5.4).
    pub(super) fn of(&self, url: &Url) -> Vec<(&str, &str)> {
        let mut matching: Vec<_> =
            self.cookies.iter().filter(|stored| stored.is_for(url)).collect();
        matching.sort_by_key(|stored| Reverse(stored.path.len()));
        matching.into_iter().map(|stored| (&*stored.name, &*stored.value)).collect()
    }
}

impl StoredCookie {
    fn is_for(&self, url: &Url) -> bool {
        (!self.is_secure || url.scheme() == "https")
            && self.scope.contains(url)
            && path_matches(url.path(), &self.path)
    }
}

impl CookieScope {
    /// The scope of a cookie that `url` sets with this `Domain`; `None` if that does not contain the host
    /// (RFC 6265 §5.3).
    fn of(url: &Url, domain: Option<&str>) -> Option<Self> {
        let host = url.host_str()?;
        let domain = domain.unwrap_or_default().trim_start_matches('.').to_ascii_lowercase();
        let is_name = matches!(url.host(), Some(Host::Domain(_)));
        if domain.is_empty() || (domain == host && !(is_name && domain.contains('.'))) {
            return Some(Self::Host { host: host.into(), port: url.port() });
        }
        (is_name && domain.contains('.') && is_within(host, &domain))
            .then(|| Self::Domain(domain.into()))
    }

    fn contains(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        match self {
            Self::Host { host: own, port } => **own == *host && *port == url.port(),
            Self::Domain(domain) => is_within(host, domain),
        }
    }
}

/// Whether the host's name is the domain or ends with it (RFC 6265 §5.1.3).
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The directory of the URL's path (RFC 6265 §5.1.4).
fn default_path(url: &Url) -> &str {
    match url.path().rsplit_once('/') {
        Some((directory, _)) if !directory.is_empty() => directory,
        _ => "/",
    }
}

/// Whether the path is the cookie's or lies below it (RFC 6265 §5.1.4).
fn path_matches(path: &str, own: &str) -> bool {
    path.strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with('/'))
}

/// Whether a cookie has expired. `Max-Age` takes precedence over `Expires` (RFC 6265 §5.3).
fn is_expired(cookie: &Cookie<'_>, now: SystemTime) -> bool {
    match (cookie.max_age(), cookie.expires_datetime()) {
        (Some(age), _) => !age.is_positive(),
        (None, Some(expires)) => expires <= OffsetDateTime::from(now),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests;
