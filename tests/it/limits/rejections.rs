//! Rejections are responses: they follow a request, and have content unless it is HEAD.

use std::process::Output;
use std::time::{Duration, Instant};

use http_concurrent::server::Limits;

use crate::support::conversation::Conversation;
use crate::support::server::TestServer;
use crate::support::with_patience;

const GET: &str = "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HEAD: &str = "HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server whose limit for 127.0.0.1 is used up by the returned connection.
fn full() -> (TestServer, Conversation) {
    let server = TestServer::with_limits(1, 60);
    server.file("a.txt", "Hello");
    let mut held = server.connect();
    assert_eq!(held.get("/a.txt").status, 200);
    (server, held)
}

/// A connection on which these pieces of a request were sent before the server stopped waiting for one, so
/// that the response answers this request.
fn asking_in_time(server: &TestServer, pieces: &[impl AsRef<[u8]>]) -> Conversation {
    loop {
        let begun = Instant::now();
        let mut conversation = server.connect();
        for piece in pieces {
            let _ = conversation.try_send(piece);
        }
        if begun.elapsed() < Duration::from_secs(1) {
            return conversation;
        }
    }
}

#[test]
fn a_rejected_head_has_the_fields_of_a_rejected_get_and_no_content() {
    let (server, _held) = full();
    for pieces in [&[HEAD][..], &[&HEAD[..5], &HEAD[5..]], &["\r\n", HEAD, GET]] {
        let mut conversation = asking_in_time(&server, pieces);
        let reply = conversation.reply_to_head();
        assert_eq!(reply.status, 429, "{pieces:?}");
        let length: usize = reply.field("Content-Length").unwrap().parse().unwrap();
        assert!(length > 100, "{length}");
        conversation.expect_end();
        let whole = server.connect().get("/a.txt");
        assert_eq!((whole.status, whole.body.len()), (429, length));
        assert_eq!(whole.field_names(), reply.field_names());
    }
}

#[test]
fn a_rejected_client_without_a_request_receives_the_response_too() {
    let (server, _held) = full();
    for beginning in ["", "GET /a.txt HTTP/1.1\r\nHo"] {
        let mut conversation = server.connect();
        conversation.send(beginning);
        let reply = conversation.reply();
        assert!(reply.text().contains("try again"), "{beginning:?}: {}", reply.text());
        conversation.expect_end();
    }
}

#[test]
fn behind_a_proxy_the_request_is_the_one_behind_the_header() {
    const V2: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x7f\0\0\x01\x12\x67\0\x50";
    for (limits, status) in [
        (Limits { per_client: 1, total: 60 }, 429),
        // Rejected before the client is known.
        (Limits { per_client: 1, total: 1 }, 503),
    ] {
        let server = TestServer::with_config(|config| {
            config.limits = limits;
            config.identification.proxies = vec!["127.0.0.1/32".parse().unwrap()];
        });
        server.file("a.txt", "Hello");
        let v1 = "PROXY TCP4 1.2.3.4 127.0.0.1 4711 80\r\n".as_bytes();
        let mut held = server.connect();
        let persisting = "GET /none HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        held.send([v1, b"GET / HTTP/1.1\r\nHo"].concat());
        server.wait_for_connections(1);
        crate::support::wait_until("its client is known", || server.snapshot().holders == 1);
        for header in [v1, V2] {
            for request in [HEAD, GET, persisting] {
                for split in [0, 5, header.len(), header.len() + 3, header.len() + request.len()] {
                    let bytes = [header, request.as_bytes()].concat();
                    let pieces = [&bytes[..split], &bytes[split..]];
                    let mut conversation = asking_in_time(&server, &pieces);
                    let is_head = request == HEAD;
                    let reply =
                        if is_head { conversation.reply_to_head() } else { conversation.reply() };
                    assert_eq!(reply.status, status, "{request:?} split at {split}");
                    assert_eq!(reply.body.is_empty(), is_head, "{request:?}");
                    conversation.expect_end();
                }
            }
        }
    }
}

#[test]
fn two_thousand_simultaneous_rejections_are_complete() {
    let (server, _held) = full();
    for request in [GET, GET, HEAD, "", GET] {
        let mut rejected: Vec<Conversation> = (0..400)
            .map(|_| {
                let mut conversation = server.connect();
                // On a busy machine a response may come before its request.
                let _ = conversation.try_send(request);
                conversation
            })
            .collect();
        for conversation in &mut rejected {
            let reply =
                if request == HEAD { conversation.reply_to_head() } else { conversation.reply() };
            assert_eq!(reply.status, 429);
        }
    }
    assert_eq!(server.counters().rejected_per_client, 2_000);
}

fn run(server: &TestServer, words: &[&str]) -> Output {
    let url = format!("http://{}", server.address());
    let words: Vec<String> = words.iter().map(|word| word.replace("{url}", &url)).collect();
    with_patience().args(&words).output().expect("timeout(1) is there")
}

#[test]
#[ignore = "needs curl"]
fn curl_is_told_why_it_is_rejected() {
    let (server, _held) = full();
    let output = run(&server, &["curl", "-sSI", "{url}/a.txt"]);
    assert!(output.status.success(), "{output:?}");
    let head = String::from_utf8(output.stdout).unwrap();
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("\r\nRetry-After: "), "{head}");
    let output = run(&server, &["curl", "-sS", "{url}/a.txt"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("try again"));
}

/// Its Go HTTP client drops a response that comes before the request as unsolicited.
#[test]
#[ignore = "needs rclone"]
fn rclone_sees_the_status_of_a_rejection() {
    let (server, _held) = full();
    // If the server did not wait, the order would be random.
    for arguments in [&["lsf", ":http:"][..], &["cat", ":http:a.txt"]].into_iter().cycle().take(10)
    {
        let common = ["-vv", "--config", "/dev/null", "--retries", "1", "--low-level-retries", "1"];
        let words = [&["rclone"], arguments, &common, &["--http-url", "{url}"]].concat();
        let output = run(&server, &words);
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{log}");
        assert!(log.contains("429"), "{log}");
        assert!(!log.contains("Unsolicited"), "{log}");
    }
}
