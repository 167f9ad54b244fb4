//! Connections: opened, kept, replaced, refused.

use http_concurrent::client::FetchError;

use crate::support::fetching::fetch;
use crate::support::scripted::{Scripted, answer, ok};

#[test]
fn a_connection_is_kept_and_used_again() {
    let server = Scripted::answering(|target| match target {
        "/missing" => answer("404 Not Found", "", "a page that is read past"),
        "/chunked" => {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n".to_vec()
        }
        target => ok(target),
    });
    let urls = ["/1", "/chunked", "/missing", "/2"].map(|path| server.url(path));
    let fetched = fetch(1, &urls);
    assert_eq!(fetched.names(), ["1", "2", "chunked"]);
    assert_eq!((fetched.run.failures(), server.connections()), (1, 1));
}

#[test]
fn a_connection_that_cannot_be_kept_is_closed() {
    for bytes in [
        answer("200 OK", "Connection: close\r\n", "a"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na".to_vec(),
        [ok("a"), ok("unasked")].concat(),
        answer("404 Not Found", "", vec![b'x'; 100_000]),
    ] {
        let server = Scripted::start({
            let bytes = bytes.clone();
            move |peer| {
                if peer.read_request().is_some() {
                    peer.send(&bytes);
                    peer.wait_for_close();
                }
            }
        });
        fetch(1, &[server.url("/1"), server.url("/2")]);
        assert_eq!(server.connections(), 2, "{}", bytes[..60.min(bytes.len())].escape_ascii());
    }
}

#[test]
fn a_kept_connection_that_the_server_closed_is_replaced() {
    for resets in [false, true] {
        let server = Scripted::start(move |peer| {
            peer.read_request();
            peer.send(ok("a"));
            // The next request arrives, and gets no response.
            if resets && peer.connection == 0 {
                peer.read_request();
                peer.reset();
            }
        });
        let urls = ["/1", "/2"].map(|path| server.url(path));
        let fetched = fetch(1, &urls);
        fetched.assert_success();
        assert_eq!((fetched.names(), server.connections()), (vec!["1".into(), "2".into()], 2));
    }
}

#[test]
fn a_kept_connection_that_breaks_within_an_answer_is_a_failure() {
    let server = Scripted::start(|peer| {
        peer.read_request();
        peer.send(ok("a"));
        if peer.read_request().is_some() {
            peer.send("HTTP/1.1 2");
        }
    });
    let mut fetched = fetch(1, &[server.url("/1"), server.url("/2")]);
    assert_eq!((fetched.names(), server.connections()), (vec!["1".to_owned()], 1));
    let outcome = fetched.run.outcomes.remove(1);
    assert!(matches!(outcome.result, Err(FetchError::Closed)), "{outcome:?}");
}

#[test]
fn a_new_connection_closed_without_a_response_is_not_retried() {
    let server = Scripted::start(|peer| {
        peer.read_request();
    });
    let error = fetch(1, &[server.url("/file")]).into_failure();
    assert!(matches!(error, FetchError::Closed), "{error:?}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_response_sent_before_the_request_was_read_is_received() {
    let server = Scripted::start(|peer| {
        peer.send(answer("503 Service Unavailable", "Connection: close\r\n", "full"));
        peer.wait_for_close();
    });
    let error = fetch(1, &[server.url("/file")]).into_failure();
    assert!(
        matches!(error, FetchError::Status { status, .. } if status.code() == 503),
        "{error:?}"
    );
}

#[test]
fn servers_are_reached_by_ipv6_literals_and_by_name() {
    let six = Scripted::start_on("[::1]:0", |peer| {
        while peer.read_request().is_some() {
            peer.send(ok("six"));
        }
    });
    let fetched = fetch(1, &[six.url("/file")]);
    fetched.assert_success();
    assert_eq!(fetched.content("file"), b"six");
    let host = format!("Host: [::1]:{}\r\n", six.address().port());
    assert!(six.heads()[0].contains(&host), "{:?}", six.heads());

    let four = Scripted::answering(|_| ok("four"));
    let url = format!("http://localhost:{}/file", four.address().port());
    fetch(1, &[url]).assert_success();
}

#[test]
fn a_refused_connection_is_a_failure_with_its_address() {
    // Bound but not listening: connections are refused while the socket exists.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let nobody = socket.local_addr().unwrap().as_socket().unwrap();
    match fetch(1, &[format!("http://{nobody}/file")]).into_failure() {
        FetchError::Connect { address, .. } => assert_eq!(address, nobody),
        other => panic!("{other:?}"),
    }
    // A label is at most 63 bytes long, so that no name server is asked.
    let error = fetch(1, &[format!("http://{}.invalid/file", "x".repeat(64))]).into_failure();
    assert!(matches!(error, FetchError::Resolve { .. }), "{error:?}");
}
