//! The head of a request: what the client always says, and what the user adds.
//!
//! Fields on which the framing or the integrity of an answer depends are the client's own. Whatever
//! could be a secret goes to the host it is meant for and no further (RFC 9110 §15.4).

use url::{Position, Url};

use crate::client::settings::proxies::Proxy;
use crate::client::settings::request_fields::RequestFields;
use crate::client::store::part_notes::RangeRequest;
use crate::client::zone;
use crate::http::HeadWriter;

const USER_AGENT: &str = concat!("http_client_concurrent/", env!("CARGO_PKG_VERSION"));

/// What is not sent to another host than the first one.
const SECRET: [&str; 3] = ["Authorization", "Cookie", "Cookie2"];

/// What of the representation is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'r> {
    /// The whole, as it is.
    Plain,
    /// The whole, in any coding that can be undone.
    Coded,
    /// A part of it, as it is: ranges count coded bytes, which no part is of (RFC 9110 §14.2).
    Rest(RangeRequest<'r>),
}

/// The codings that can be undone.
const CODINGS: &str = "gzip, deflate, br, zstd";

/// One request for a URL.
#[derive(Debug)]
pub(super) struct Request<'r> {
    pub(super) url: &'r Url,
    /// The value of `Authorization` that the URL has for this host.
    pub(super) authorization: Option<&'r str>,
    /// Whether this is the host that the user named.
    pub(super) is_first_host: bool,
    /// Names and values of the cookies that redirects have set for it.
    pub(super) cookies: Vec<(&'r str, &'r str)>,
    pub(super) asked: Asked<'r>,
}

impl Request<'_> {
    /// Writes the head into `out`; for a proxy that passes it on, the target is the whole URL
    /// (RFC 9112 §3.2.2).
    pub(super) fn write(&self, out: &mut Vec<u8>, fields: &RequestFields, via: Option<&Proxy>) {
        let url = &*zone::strip(self.url);
        let target = match via {
            Some(_) => &url[..Position::AfterQuery],
            None => &url[Position::BeforePath..Position::AfterQuery],
        };
        let mut head = HeadWriter::request(out, "GET", target);
        if !fields.has("Host") {
            head = head.field("Host", &url[Position::BeforeHost..Position::AfterPort]);
        }
        for (name, value) in [("User-Agent", USER_AGENT), ("Accept", "*/*")] {
            if !fields.has(name) {
                head = head.field(name, value);
            }
        }
        let codings = if matches!(self.asked, Asked::Coded) { CODINGS } else { "identity" };
        head = head.field("Accept-Encoding", codings);
        let own_authorization = self.is_first_host && fields.has("Authorization");
        if let Some(value) = self.authorization.filter(|_| !own_authorization) {
            head = head.field("Authorization", value);
        }
        if let Some(credentials) = via.and_then(|proxy| proxy.credentials.as_ref()) {
            head = head.field("Proxy-Authorization", credentials.value());
        }
        let cookies = self.cookies(fields);
        if let Some(cookies) = &cookies {
            head = head.field("Cookie", cookies);
        }
        for (name, value) in &fields.added {
            if cookies.is_some() && name.eq_ignore_ascii_case("Cookie") {
                continue;
            }
            let is_for_first_host =
                SECRET.iter().chain(&["Host"]).any(|secret| secret.eq_ignore_ascii_case(name));
            if self.is_first_host || !is_for_first_host {
                head = head.field(name, value);
            } else if name.eq_ignore_ascii_case("Host") {
                head = head.field("Host", &url[Position::BeforeHost..Position::AfterPort]);
            }
        }
        if let Asked::Rest(rest) = &self.asked {
            let range = match rest.last {
                Some(last) => format!("bytes={}-{last}", rest.first),
                None => format!("bytes={}-", rest.first),
            };
            head = head.field("Range", range).field("If-Range", rest.validator.text());
        }
        head.finish();
    }

    /// The one `Cookie` field (RFC 6265 §5.4) where redirects have set cookies: the user's, where they may
    /// be sent, but for those that were set anew, and what was set.
    fn cookies(&self, fields: &RequestFields) -> Option<String> {
        if self.cookies.is_empty() {
            return None;
        }
        let own = fields
            .added
            .iter()
            .filter(|(name, _)| self.is_first_host && name.eq_ignore_ascii_case("Cookie"));
        let is_set_anew = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default().trim();
            self.cookies.iter().any(|(set, _)| *set == name)
        };
        let pairs = own
            .flat_map(|(_, value)| value.split(';').map(str::trim))
            .filter(|pair| !pair.is_empty() && !is_set_anew(pair))
            .map(str::to_owned);
        let set = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        Some(pairs.chain(set).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::store::part_notes::Validator;

    fn written(fields: &[&str], is_first_host: bool, via: Option<&Proxy>) -> String {
        let url = Url::parse("http://a:81/b?c").unwrap();
        let mut all = RequestFields::default();
        for field in fields {
            all.add(field).unwrap();
        }
        let (cookies, asked) = (vec![], Asked::Plain);
        let request = Request { url: &url, authorization: None, is_first_host, cookies, asked };
        let mut out = Vec::new();
        request.write(&mut out, &all, via);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_the_user_says_replaces_what_the_client_says() {
        let head = written(&["user-agent: me", "Accept:", "X-A: 1", "X-A: 2"], true, None);
        assert_eq!(
            head,
            "GET /b?c HTTP/1.1\r\nHost: a:81\r\nAccept-Encoding: identity\r\nuser-agent: me\r\n\
             Accept: \r\nX-A: 1\r\nX-A: 2\r\n\r\n"
        );
    }

    #[test]
    fn secrets_stay_with_the_first_host() {
        let fields = ["Authorization: x", "cookie: y", "Host: z", "X: 1"];
        let first = written(&fields, true, None);
        assert!(
            ["Authorization: x", "cookie: y", "Host: z", "X: 1"].iter().all(|f| first.contains(f))
        );
        let other = written(&fields, false, None);
        assert!(
            !other.contains(": x") && !other.contains(": y") && !other.contains(": z"),
            "{other}"
        );
        assert!(other.contains("Host: a:81\r\n") && other.contains("X: 1"), "{other}");
    }

    #[test]
    fn cookies_of_redirects_join_those_of_the_user_in_one_field() {
        let url = Url::parse("http://a/").unwrap();
        let mut fields = RequestFields::default();
        fields.add("cookie: own=1; set=old; x").unwrap();
        fields.add("Cookie: more=2;").unwrap();
        for (is_first_host, expected) in [
            (true, "Cookie: own=1; x; more=2; set=new; b=c\r\n"),
            (false, "Cookie: set=new; b=c\r\n"),
        ] {
            let cookies = vec![("set", "new"), ("b", "c")];
            let request = Request {
                url: &url,
                authorization: None,
                is_first_host,
                cookies,
                asked: Asked::Plain,
            };
            let mut out = Vec::new();
            request.write(&mut out, &fields, None);
            let head = String::from_utf8(out).unwrap();
            assert!(head.contains(expected), "{head}");
            assert_eq!(head.to_ascii_lowercase().matches("cookie:").count(), 1, "{head}");
        }
    }

    #[test]
    fn a_proxy_is_told_the_whole_url() {
        let proxy = Proxy { url: Url::parse("http://p/").unwrap(), credentials: None };
        assert!(written(&[], true, Some(&proxy)).starts_with("GET http://a:81/b?c HTTP/1.1\r\n"));
    }

    #[test]
    fn a_rest_is_asked_for_on_the_condition_that_it_fits() {
        let url = Url::parse("http://a/").unwrap();
        let validator = Validator::Tag("\"x\"".into());
        let asked = Asked::Rest(RangeRequest { first: 5, last: Some(9), validator: &validator });
        let request = Request {
            url: &url,
            authorization: Some("Basic x"),
            is_first_host: true,
            cookies: vec![],
            asked,
        };
        let mut out = Vec::new();
        request.write(&mut out, &RequestFields::default(), None);
        let head = String::from_utf8(out).unwrap();
        assert!(
            head.ends_with("Authorization: Basic x\r\nRange: bytes=5-9\r\nIf-Range: \"x\"\r\n\r\n")
        );
    }
}
