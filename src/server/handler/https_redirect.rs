//! Answers requests over plain HTTP with a redirect to the same target over TLS.
//!
//! Nothing is looked up: no file, no status, no password.

use std::net::{IpAddr, SocketAddr};

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::error_response::built_in_page;
use super::response::{Response, ResponseContent};
use crate::http::{
    ALLOW, Host, Method, RequestError, RequestHead, Status, Target, parse_host, split_absolute,
};

/// The port of `https` that a URL need not name (RFC 9110 §4.2.2).
const DEFAULT_PORT: u16 = 443;

/// Bytes of a target that no URI has (RFC 3986 §2); those that it has, with its percent signs, are kept as sent.
const NO_URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Redirects a request with a well-formed head and a valid `Host`.
///
/// The status is 301 for GET and HEAD, as for directories, since not every program follows 308. Other methods get
/// 308, after which a client repeats the same request (RFC 9110 §15.4.9), and learns over TLS what becomes of it. A
/// request for the server as a whole (`OPTIONS *`) has no target elsewhere, and CONNECT none at all.
pub(crate) fn https_redirect(head: &RequestHead, local: SocketAddr, https_port: u16) -> Response {
    let method = head.method();
    if head.method_token() == b"CONNECT" {
        let detail = "this port only redirects";
        return built_in_page(head, Status::METHOD_NOT_ALLOWED, detail).field("Allow", ALLOW);
    }
    match Target::parse(method, head.target()) {
        Ok(Target::Server) => {
            Response::new(Status::NO_CONTENT, ResponseContent::None).field("Allow", ALLOW)
        }
        Ok(Target::Path(_)) => {
            let status = match method {
                Method::Get | Method::Head => Status::MOVED_PERMANENTLY,
                _ => Status::PERMANENT_REDIRECT,
            };
            // Without the location, which may be long.
            built_in_page(head, status, "this is served over https only")
                .field("Location", location(head, local, https_port))
        }
        Err(error) => refuse_plainly(head, error),
    }
}

/// Answers a malformed request with the built-in page: the operator's is a file.
pub(crate) fn refuse_plainly(head: &RequestHead, error: RequestError) -> Response {
    built_in_page(head, error.status(), &error.to_string())
}

/// The same target at the host that the request names, or, without one (HTTP/1.0), at the local address.
fn location(head: &RequestHead, local: SocketAddr, https_port: u16) -> String {
    let absolute = split_absolute(head.target());
    let (authority, target) = match absolute {
        Some((authority, target)) => (Some(authority), target),
        None => (head.fields().first("Host"), head.target()),
    };
    let host = match authority.and_then(parse_host) {
        Some(Host::Name(name)) => String::from_utf8_lossy(name).into_owned(),
        Some(Host::Address(address)) => url_host(address),
        None => url_host(local.ip().to_canonical()),
    };
    let port = if https_port == DEFAULT_PORT { String::new() } else { format!(":{https_port}") };
    // An absolute-form target may have no path, and yet a query.
    let slash = if target.starts_with(b"/") { "" } else { "/" };
    format!("https://{host}{port}{slash}{}", percent_encode(target, NO_URI))
}

fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadScan, Persistence, Version};

    /// The status, and the value of `Location`.
    fn redirect(request: &str, port: u16) -> (u16, Option<String>) {
        let mut head = RequestHead::default();
        head.receive(&mut HeadScan::default(), request.as_bytes()).unwrap().unwrap();
        let local = "[::ffff:192.0.2.7]:80".parse().unwrap();
        let response = https_redirect(&head, local, port);
        let mut lines = Vec::new();
        response.write_head(&mut lines, Version::Http11, Persistence::Close);
        let lines = String::from_utf8(lines).unwrap();
        let location = lines.lines().find_map(|line| line.strip_prefix("Location: "));
        (response.status.code(), location.map(str::to_owned))
    }

    #[test]
    fn a_request_is_redirected_to_the_same_target_of_the_same_host() {
        for (target, host, port, expected) in [
            ("/", "a.example", 443, "https://a.example/"),
            ("/", "a.example", 8443, "https://a.example:8443/"),
            ("/a/b?c=d&e", "a.example:8080", 443, "https://a.example/a/b?c=d&e"),
            ("/a?b?c=/d", "a.example:", 8443, "https://a.example:8443/a?b?c=/d"),
            ("/a%20b/%2f", "A.Example.", 443, "https://A.Example./a%20b/%2f"),
            ("//b.example/c", "a.example", 443, "https://a.example//b.example/c"),
            ("/a/../b", "192.0.2.1:80", 443, "https://192.0.2.1/a/../b"),
            ("/", "[2001:DB8::1]:80", 443, "https://[2001:db8::1]/"),
            ("/", "[::1]", 8443, "https://[::1]:8443/"),
            ("http://b.example:80/c?d", "a.example", 443, "https://b.example/c?d"),
            ("HTTPS://[::1]:1", "a.example", 8443, "https://[::1]:8443/"),
            ("http://b.example?c", "a.example", 443, "https://b.example/?c"),
            ("/\u{e4}\"<>\\^`{|}", "a", 443, "https://a/%C3%A4%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(redirect(&request, port), (301, Some(expected.to_owned())), "{target}");
        }
        let without_host = redirect("GET /a HTTP/1.0\r\n\r\n", 8443);
        assert_eq!(without_host, (301, Some("https://192.0.2.7:8443/a".to_owned())));
    }

    #[test]
    fn the_method_decides_about_the_redirect() {
        for (line, status, is_redirected) in [
            ("HEAD /a", 301, true),
            ("POST /a", 308, true),
            ("OPTIONS /a", 308, true),
            ("BREW /a", 308, true),
            ("OPTIONS *", 204, false),
            ("OPTIONS http://a", 204, false),
            ("CONNECT a:443", 405, false),
            ("GET *", 400, false),
            ("GET a", 400, false),
            ("GET /../a", 400, false),
            ("GET /a#b", 400, false),
            ("GET /%", 400, false),
            ("GET http://user@a/", 400, false),
        ] {
            let (found, location) = redirect(&format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"), 443);
            assert_eq!((found, location.is_some()), (status, is_redirected), "{line}");
        }
    }
}
