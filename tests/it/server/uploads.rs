//! Clients that send much content: each receives its response, although the content is discarded.

use std::time::{Duration, Instant};

use crate::support::server::TestServer;
use crate::support::{wait_until, with_patience};

const MUCH: usize = 50_000_000;

/// A client that sends all of its request before it reads.
#[test]
fn all_of_the_content_may_be_sent_before_the_response_is_read() {
    let server = TestServer::with_limits(1, 9);
    server.file("a.txt", "Hello");
    let content = vec![b'x'; MUCH];
    for (request, status) in [
        ("POST /a.txt", 405),
        ("PUT /new", 405),
        ("GET /a.txt", 200),
        ("GET /none", 404),
        ("BREW /a.txt", 501),
    ] {
        let mut conversation = server.connect();
        let head = format!("{request} HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n");
        conversation.send(head).send(&content);
        assert_eq!(conversation.reply().status, status, "{request}");
        conversation.expect_end();
        server.wait_for_connections(0);
    }
    let mut conversation = server.connect();
    let head = "PUT /new HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    conversation.send(format!("{head}{MUCH:x}\r\n")).send(&content).send("\r\n0\r\n\r\n");
    assert_eq!(conversation.reply().status, 405);
    server.wait_for_connections(0);
    let holder = server.connect();
    server.wait_for_connections(1);
    let mut rejected = server.connect();
    rejected.send(format!("POST / HTTP/1.0\r\nContent-Length: {MUCH}\r\n\r\n")).send(&content);
    assert_eq!(rejected.reply().status, 429);
    rejected.expect_end();
    drop(holder);
}

/// Takes longer than a peer may be silent, and longer than the reading before the response.
#[test]
fn content_may_arrive_slowly() {
    let server = TestServer::with_limits(1, 9);
    let mut conversation = server.connect();
    conversation.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n"));
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < Duration::from_millis(5_500) && sent < MUCH {
        sent += 100_000;
        conversation.send(vec![b'x'; 100_000]);
        std::thread::sleep(Duration::from_millis(20));
    }
    server.wait_for_connections(0);
    assert_eq!(conversation.reply().status, 405);
    conversation.expect_end();
}

#[test]
fn content_declared_too_long_is_not_waited_for() {
    let server = TestServer::with_config(|config| {
        config.limits.per_client = 1;
        config.timeouts.head = Duration::from_secs(3600);
    });
    server.file("a.txt", "Hello");
    for (request, status) in [("POST /a.txt", 405), ("GET /a.txt", 200)] {
        let mut conversation = server.connect();
        let head = format!("{request} HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n");
        assert_eq!(conversation.send(head).reply().status, status, "{request}");
        server.wait_for_connections(0);
    }
}

/// Its slot is free as soon as the response is sent.
#[test]
fn endless_content_holds_no_slot() {
    let server = TestServer::with_limits(1, 9);
    server.file("a.txt", "Hello");
    let mut endless = server.connect();
    endless.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n");
    endless.send(vec![b'x'; 3_000_000]);
    wait_until("the response has arrived", || server.counters().requests == 1);
    server.wait_for_connections(0);
    endless.send(vec![b'x'; 3_000_000]);
    assert_eq!(server.connect().get("/a.txt").text(), "Hello");
    assert_eq!(endless.reply().status, 405);
}

#[test]
#[ignore = "needs python3"]
fn python_reads_its_answer_to_fifty_megabytes() {
    const SCRIPT: &str = r#"
import http.client, sys, urllib.error, urllib.request
host, content = sys.argv[1], b"x" * 50_000_000
def pieces():
    for at in range(0, len(content), 1_000_000):
        yield content[at:at + 1_000_000]
for data, method in [(content, "POST"), (content, "PUT"), (pieces(), "PUT")]:
    try:
        urllib.request.urlopen(urllib.request.Request(f"http://{host}/", data, method=method), timeout=120)
    except urllib.error.HTTPError as error:
        print(error.code, len(error.read()) > 0)
connection = http.client.HTTPConnection(host, timeout=120)
connection.request("POST", "/a.txt", content)
print(connection.getresponse().status)
"#;
    let server = TestServer::start();
    let mut command = with_patience();
    command.args(["python3", "-c", SCRIPT, &server.address().to_string()]);
    let output = command.output().expect("timeout(1) is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "405 True\n405 True\n405 True\n405\n",
        "{said}"
    );
}
