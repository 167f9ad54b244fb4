//! The head of a request: the client's own fields and those that the user adds.
//!
//! The client sets the fields on which the framing and the integrity of the response depend. Possible
//! secrets are sent to the origin of the job alone (RFC 9110 §15.4).

use url::{Position, Url};

use crate::client::settings::proxies::Proxy;
use crate::client::settings::request_fields::RequestFields;
use crate::client::store::part_notes::RangeRequest;
use crate::client::zone;
use crate::http::HeadWriter;

const USER_AGENT: &str = concat!("http_client_concurrent/", env!("CARGO_PKG_VERSION"));

/// The user's fields that are sent to the origin of the job alone.
const SECRET: [&str; 3] = ["Authorization", "Cookie", "Cookie2"];

/// Which content is requested.
#[derive(Clone, Copy, Debug)]
pub(super) enum RequestedContent<'r> {
    /// The whole, without a coding.
    Identity,
    /// The whole, in any coding that can be decoded.
    Encoded,
    /// A range, without a coding: a part has decoded bytes, and a range would count encoded ones
    /// (RFC 9110 §14.2).
    Range(RangeRequest<'r>),
}

/// The codings that can be decoded.
const CODINGS: &str = "gzip, deflate, br, zstd";

/// One request for a URL.
#[derive(Debug)]
pub(super) struct Request<'r> {
    pub(super) url: &'r Url,
    /// The value of `Authorization` from the credentials for this origin.
    pub(super) authorization: Option<&'r str>,
    /// Whether the request goes to the origin of the job.
    pub(super) is_job_origin: bool,
    /// Names and values of the cookies that redirects have set for the URL.
    pub(super) cookies: Vec<(&'r str, &'r str)>,
    pub(super) content: RequestedContent<'r>,
}

impl Request<'_> {
    /// Writes the head into `out`. For a forwarding proxy the request target is the whole URL
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
        let codings =
            if matches!(self.content, RequestedContent::Encoded) { CODINGS } else { "identity" };
        head = head.field("Accept-Encoding", codings);
        let own_authorization = self.is_job_origin && fields.has("Authorization");
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
            let is_for_job_origin =
                SECRET.iter().chain(&["Host"]).any(|secret| secret.eq_ignore_ascii_case(name));
            if self.is_job_origin || !is_for_job_origin {
                head = head.field(name, value);
            } else if name.eq_ignore_ascii_case("Host") {
                head = head.field("Host", &url[Position::BeforeHost..Position::AfterPort]);
            }
        }
        if let RequestedContent::Range(range) = &self.content {
            let bytes = match range.last {
                Some(last) => format!("bytes={}-{last}", range.first),
                None => format!("bytes={}-", range.first),
            };
            head = head.field("Range", bytes).field("If-Range", range.validator.text());
        }
        head.finish();
    }

    /// The single `Cookie` field (RFC 6265 §5.4) if redirects have set cookies: the user's cookies, if they
    /// may be sent and were not set again, then those that were set.
    fn cookies(&self, fields: &RequestFields) -> Option<String> {
        if self.cookies.is_empty() {
            return None;
        }
        let own = fields
            .added
            .iter()
            .filter(|(name, _)| self.is_job_origin && name.eq_ignore_ascii_case("Cookie"));
        let is_set_again = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default().trim();
            self.cookies.iter().any(|(set, _)| *set == name)
        };
        let pairs = own
            .flat_map(|(_, value)| value.split(';').map(str::trim))
            .filter(|pair| !pair.is_empty() && !is_set_again(pair))
            .map(str::to_owned);
        let set = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        Some(pairs.chain(set).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::store::validator::Validator;

    fn written(fields: &[&str], is_job_origin: bool, via: Option<&Proxy>) -> String {
        let url = Url::parse("http://a:81/b?c").unwrap();
        let mut all = RequestFields::default();
        for field in fields {
            all.add(field).unwrap();
        }
        let (cookies, content) = (vec![], RequestedContent::Identity);
        let request = Request { url: &url, authorization: None, is_job_origin, cookies, content };
        let mut out = Vec::new();
        request.write(&mut out, &all, via);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_of_the_user_replace_those_of_the_client() {
        let head = written(&["user-agent: me", "Accept:", "X-A: 1", "X-A: 2"], true, None);
        assert_eq!(
            head,
            "GET /b?c HTTP/1.1\r\nHost: a:81\r\nAccept-Encoding: identity\r\nuser-agent: me\r\n\
             Accept: \r\nX-A: 1\r\nX-A: 2\r\n\r\n"
        );
    }

    #[test]
    fn secrets_are_sent_to_the_origin_of_the_job_alone() {
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
    fn cookies_of_redirects_and_of_the_user_are_sent_in_one_field() {
        let url = Url::parse("http://a/").unwrap();
        let mut fields = RequestFields::default();
        fields.add("cookie: own=1; set=old; x").unwrap();
        fields.add("Cookie: more=2;").unwrap();
        for (is_job_origin, expected) in [
            (true, "Cookie: own=1; x; more=2; set=new; b=c\r\n"),
            (false, "Cookie: set=new; b=c\r\n"),
        ] {
            let cookies = vec![("set", "new"), ("b", "c")];
            let request = Request {
                url: &url,
                authorization: None,
                is_job_origin,
                cookies,
                content: RequestedContent::Identity,
            };
            let mut out = Vec::new();
            request.write(&mut out, &fields, None);
            let head = String::from_utf8(out).unwrap();
            assert!(head.contains(expected), "{head}");
            assert_eq!(head.to_ascii_lowercase().matches("cookie:").count(), 1, "{head}");
        }
    }

    #[test]
    fn the_request_target_for_a_proxy_is_the_whole_url() {
        let proxy = Proxy { url: Url::parse("http://p/").unwrap(), credentials: None };
        assert!(written(&[], true, Some(&proxy)).starts_with("GET http://a:81/b?c HTTP/1.1\r\n"));
    }

    #[test]
    fn a_range_is_requested_with_if_range() {
        let url = Url::parse("http://a/").unwrap();
        let validator = Validator::Tag("\"x\"".into());
        let content = RequestedContent::Range(RangeRequest {
            first: 5,
            last: Some(9),
            validator: &validator,
        });
        let request = Request {
            url: &url,
            authorization: Some("Basic x"),
            is_job_origin: true,
            cookies: vec![],
            content,
        };
        let mut out = Vec::new();
        request.write(&mut out, &RequestFields::default(), None);
        let head = String::from_utf8(out).unwrap();
        assert!(
            head.ends_with("Authorization: Basic x\r\nRange: bytes=5-9\r\nIf-Range: \"x\"\r\n\r\n")
        );
    }
}
