//! The logs of the server: a reader that stops does not stop serving.

use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use http_concurrent::server::{AccessLog, Limits, LogFormat, LogSink, ServerConfig, StatusAccess};
use rustix::process::Signal;

use crate::support::PATIENCE;
use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::server::TestServer;
use crate::support::wait_until;

#[test]
fn each_request_that_was_answered_is_a_line_of_the_access_log() {
    let directory = tempfile::tempdir().unwrap();
    for (format, expected) in [
        (
            LogFormat::Common,
            &[
                &["127.0.0.1 - - [", " +0000] \"GET /a?b HTTP/1.1\" 200 5 0."][..],
                &["\"HEAD /a HTTP/1.1\" 200 0 0."],
                &["\"GET /none HTTP/1.0\" 404 "],
                &["127.0.0.1 - - [", r#"] "GET /\"\x1b[2J\xe2\x80\xae" 400 "#],
                &[r#"] "GET /aaaa"#, "aaa...\" 414 "],
            ][..],
        ),
        (
            LogFormat::Json,
            &[
                &["\"target\":\"/a?b\"", "\"status\":200,\"bytes\":5,"],
                &["\"method\":\"HEAD\"", "\"bytes\":0,", "\"connection_requests\":2"],
                &["\"version\":\"HTTP/1.0\"", "\"status\":404", "\"connection_requests\":3"],
                &[
                    "\"target\":null",
                    "\"status\":400",
                    "\"connection_requests\":1",
                    r#""unreadable":"GET /\\\"\\x1b[2J\\xe2\\x80\\xae""#,
                ],
                &["\"target\":null", r#""unreadable":"GET /aaaa"#, "aaa...\""],
            ],
        ),
    ] {
        let path = directory.path().join(format!("{format:?}"));
        let sink = LogSink::append_to(&path).unwrap();
        let server = TestServer::with_config(|config| {
            config.access_log = AccessLog::Sink { handle: sink.handle(), format };
        });
        server.file("a", "Hello");
        let mut client = server.connect();
        assert_eq!(client.get("/a?b").text(), "Hello");
        client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n").reply_to_head();
        client.send("GET /none HTTP/1.0\r\n\r\n").reply();
        client.expect_end();
        server.connect().send("GET /\"\x1b[2J\u{202e}\n\r\n").reply();
        server.wait_for_connections(0);
        server.connect().send(format!("GET /{} HTTP/1.1\r\n", "a".repeat(9_000))).reply();
        server.wait_for_connections(0);
        drop(sink);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), expected.len(), "{text}");
        for (line, parts) in text.lines().zip(expected) {
            for part in *parts {
                assert!(line.contains(part), "{part}: {line}");
            }
        }
    }
}

/// Checks that the log's time of the last refusal is at least `least` and at most the time that passed.
/// Meanwhile `held` silent connections are open.
fn assert_time_of_a_refusal(
    configure: impl FnOnce(&mut ServerConfig),
    held: usize,
    (requests, status): (&str, u16),
    least: Duration,
) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let sink = LogSink::append_to(&path).unwrap();
    let server = TestServer::with_config(|config| {
        let (handle, format) = (sink.handle(), LogFormat::Json);
        config.access_log = AccessLog::Sink { handle, format };
        configure(config);
    });
    let held: Vec<_> = (0..held).map(|_| server.connect()).collect();
    server.wait_for_connections(held.len());
    let started_at = Instant::now();
    // On a busy machine the bytes may come after the first head's deadline, and the server closes without a
    // response: then they are sent again.
    wait_until("the requests come in time", || {
        let mut conversation = server.connect();
        let _ = conversation.try_send(requests);
        conversation.replies().last().is_some_and(|reply| reply.status == status)
    });
    let most = started_at.elapsed();
    drop(held);
    server.wait_for_connections(0);
    drop(sink);
    let log = fs::read_to_string(&path).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let line = lines.rev().find(|line| line["status"] == status).unwrap();
    let taken = line["duration_seconds"].as_f64().unwrap();
    assert!((least.as_secs_f64()..=most.as_secs_f64()).contains(&taken), "{taken} s: {log}");
}

#[test]
fn the_time_of_a_408_counts_from_the_first_byte_of_the_request() {
    let timeout = Duration::from_millis(400);
    for requests in [
        // The deadline of the second head counts from its first byte.
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
    ] {
        let configure = |config: &mut ServerConfig| config.timeouts.head = timeout;
        assert_time_of_a_refusal(configure, 0, (requests, 408), timeout / 2);
    }
}

#[test]
fn the_time_of_a_rejection_without_a_request_counts_from_when_the_request_was_awaited() {
    let configure = |config: &mut ServerConfig| {
        config.limits = Limits { per_client: 1, total: 2 };
        config.status =
            Some(StatusAccess { path: "/status".to_owned(), ..StatusAccess::default() });
    };
    // A connection of the reserve is given one second.
    assert_time_of_a_refusal(configure, 1, ("", 429), Duration::from_millis(500));
}

/// The diagnostic log has the same lines, and none that a peer forged.
#[test]
fn text_from_peers_is_escaped_and_bounded_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProgram::start(directory.path(), &["-p", "0", "-v"]);
    for request in [
        "GET /\u{202e}\u{2028}\u{9b}2J HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{1b}[2J\u{202e}\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
        &format!("{}\r\n\r\n", "b".repeat(9_000)),
    ] {
        server.connect_from(1).send(request).reply();
    }
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    for line in [
        r#"127.0.0.1 "GET /\xe2\x80\xae\xe2\x80\xa8\xc2\x9b2J" 404 "#,
        r#"127.0.0.1 "GET /\x1b[2J\xe2\x80\xae" 400 "#,
        r#"127.0.0.1 "\x16\x03\x01" 400 "#,
        &format!("127.0.0.1 \"{}...\" 414 ", "b".repeat(256)),
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(log.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{log:?}");
}

#[test]
fn a_full_disk_under_the_access_log_stops_nothing() {
    let sink = LogSink::append_to("/dev/full").unwrap();
    let server = TestServer::with_config(|config| {
        let (handle, format) = (sink.handle(), LogFormat::Combined);
        config.access_log = AccessLog::Sink { handle, format };
    });
    server.file("a", "Hello");
    let mut client = server.connect();
    for _ in 0..100 {
        assert_eq!(client.get("/a").text(), "Hello");
    }
    drop(client);
    server.wait_for_connections(0);
    let handle = sink.handle();
    drop(sink);
    assert_eq!(handle.dropped(), 100);
    assert!(handle.failures() > 0);
}

#[test]
fn lost_lines_are_reported_at_the_end_even_after_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "Hello").unwrap();
    let arguments = ["-p", "0", "--access-log", "/dev/full"];
    let server = ServerProgram::start(directory.path(), &arguments);
    let mut client = server.connect_from(1);
    for _ in 0..3 {
        assert_eq!(client.get("/a").text(), "Hello");
    }
    drop(client);
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("the log /dev/full has lost 3 lines in all"), "{log}");
}

#[test]
fn an_access_log_on_standard_output_is_alone_there() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["-p", "0", "--log-format", "json"];
    let (server, stdout) = ServerProgram::start_with_log_on_stdout(directory.path(), &arguments);
    assert_eq!(server.connect_from(1).get("/none").status, 404);
    server.signal(Signal::TERM);
    let log = std::io::read_to_string(stdout).unwrap();
    let line: serde_json::Value = serde_json::from_str(&log).expect("one line, and it is JSON");
    assert_eq!(line["target"], "/none");
}

#[test]
fn a_standard_error_that_nobody_reads_stops_neither_serving_nor_the_end() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "Hello").unwrap();
    let server = ServerProgram::start(directory.path(), &["-p", "0", "-v"]);
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = Conversation::new(stream);
    // Some 400 bytes of log a request, 400 KB in all: the pipe holds 64.
    let target = format!("/a?{}", "x".repeat(350));
    for _ in 0..1_000 {
        assert_eq!(client.get(&target).text(), "Hello");
    }
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("\"GET /a?xxx"), "{log}");
}

#[test]
fn the_diagnostic_log_ends_with_the_number_of_its_lost_lines() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "Hello").unwrap();
    let arguments = ["-p", "0", "-v", "--status-path", "/status"];
    let server = ServerProgram::start(directory.path(), &arguments);
    let mut client = server.connect_from(1);
    // Unread lines of 8 KB: more than the sink and its thread hold.
    let target = format!("/a?{}", "x".repeat(8_000));
    let mut lost = 0;
    while lost == 0 {
        for _ in 0..200 {
            assert_eq!(client.get(&target).text(), "Hello");
        }
        let status = client.get("/status?format=json");
        let status: serde_json::Value = serde_json::from_slice(&status.body).unwrap();
        lost = status["counters"]["log_lines_dropped"].as_u64().unwrap();
    }
    drop(client);
    server.signal(Signal::TERM);
    let (status, log) = server.wait_reading_its_log();
    assert_eq!(status.code(), Some(0));
    let end = log.lines().last().unwrap();
    let told = end
        .strip_prefix("http_server_conc: ")
        .and_then(|rest| rest.strip_suffix(" lines of this log were lost"))
        .unwrap_or_else(|| panic!("{end:.200}"));
    assert!(told.parse::<u64>().unwrap() >= lost, "{end}, of which {lost} were known");
}
