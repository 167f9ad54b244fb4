//! Validators (RFC 9110 §8.8) and conditional requests (§13).

use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::conversation::Reply;
use crate::support::server::TestServer;

const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const EXACT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn date_file(server: &TestServer, name: &str, modified: SystemTime) {
    File::open(server.root().join(name)).unwrap().set_modified(modified).unwrap();
}

/// `/a.txt` was modified within the second `EXACT`, and has a precompressed file.
fn site() -> TestServer {
    let server = TestServer::with_config(|config| {
        config.extra_fields.cache_control = Some("max-age=60".to_owned());
    });
    server.file("a.txt", "Hello");
    server.file("a.txt.gz", "gzipped");
    server.file("directory/b.txt", "b");
    let within_the_second = UNIX_EPOCH + Duration::new(784_111_777, 900_000_000);
    date_file(&server, "a.txt", within_the_second);
    server
}

/// The fields in `text`, separated by `|`, with names of dates and tags replaced.
fn fields(text: &str, tag: &str, coded_tag: &str) -> String {
    let text = text.replace("BEFORE", BEFORE).replace("EXACT", EXACT).replace("AFTER", AFTER);
    let text = text.replace("CODED", coded_tag).replace("TAG", tag);
    text.split('|').flat_map(|field| [field, "\r\n"]).collect()
}

fn tag(reply: &Reply) -> String {
    reply.field("ETag").expect("a tag").to_owned()
}

#[test]
fn every_file_has_validators_that_follow_its_content() {
    let server = site();
    let first = server.connect().get("/a.txt");
    assert!(tag(&first).starts_with('"'), "the tag is strong (§8.8.3): {}", tag(&first));
    assert_eq!(first.field("Last-Modified"), Some(EXACT));
    assert_eq!(tag(&server.connect().get("/a.txt")), tag(&first), "and stays");
    let coded = server.get_with("/a.txt", "Accept-Encoding: gzip\r\n");
    assert_ne!(
        tag(&coded),
        tag(&first),
        "a precompressed file is another representation (§8.8.3.3)"
    );
    let other = server.connect().get("/directory/b.txt");
    assert_ne!(tag(&other), tag(&first));

    let modified = server.root().join("a.txt").metadata().unwrap().modified().unwrap();
    let touched = |what: &str| {
        let reply = server.connect().get("/a.txt");
        assert_ne!(tag(&reply), tag(&first), "{what}");
    };
    date_file(&server, "a.txt", modified + Duration::from_nanos(1));
    touched("a nanosecond later");
    server.file("a.txt", "Hello!");
    date_file(&server, "a.txt", modified);
    touched("longer, and dated back");
    server.file("new", "hELLO");
    date_file(&server, "new", modified);
    std::fs::rename(server.root().join("new"), server.root().join("a.txt")).unwrap();
    touched("replaced by another of the same length and date");
}

/// §8.8.2.1: never later than the response. `rsync --inplace --times` and tools that copy times do this.
#[test]
fn a_file_rewritten_with_its_old_size_and_date_has_another_tag() {
    let server = site();
    let before = tag(&server.connect().get("/a.txt"));
    let modified = server.root().join("a.txt").metadata().unwrap().modified().unwrap();
    // The clock of the file system may stand still for some milliseconds.
    crate::support::wait_until("the file has another tag", || {
        std::fs::write(server.root().join("a.txt"), "World").unwrap();
        date_file(&server, "a.txt", modified);
        tag(&server.connect().get("/a.txt")) != before
    });
    let fields = format!("If-None-Match: {before}\r\n");
    let reply = server.get_with("/a.txt", &fields);
    assert_eq!((reply.status, reply.text()), (200, "World"));
    let fields = format!("Range: bytes=1-\r\nIf-Range: {before}\r\n");
    assert_eq!(server.get_with("/a.txt", &fields).status, 200);
}

#[test]
fn a_file_from_the_future_was_modified_now_and_one_from_before_1970_has_no_date() {
    let server = site();
    date_file(&server, "a.txt", SystemTime::now() + Duration::from_secs(86_400));
    let reply = server.connect().get("/a.txt");
    let date = |name: &str| httpdate::parse_http_date(reply.field(name).unwrap()).unwrap();
    assert!(date("Last-Modified") <= date("Date"), "{reply:?}");
    let since = format!("If-Modified-Since: {}\r\n", reply.field("Last-Modified").unwrap());
    date_file(&server, "a.txt", UNIX_EPOCH - Duration::from_secs(1));
    let reply = server.connect().get("/a.txt");
    assert_eq!((reply.status, reply.field("Last-Modified")), (200, None));
    assert_eq!(server.get_with("/a.txt", &since).status, 304);
}

#[test]
fn preconditions() {
    let server = site();
    let plain = tag(&server.connect().get("/a.txt"));
    let coded = tag(&server.get_with("/a.txt", "Accept-Encoding: gzip\r\n"));
    for (text, status) in [
        // §13.1.1: strong comparison
        ("If-Match: TAG", 200),
        ("If-Match: \"x\", TAG", 200),
        ("If-Match: \"x\"|If-Match: TAG", 200),
        ("If-Match: *", 200),
        ("If-Match: \"x\"", 412),
        ("If-Match: W/TAG", 412),
        ("If-Match: CODED", 412),
        ("If-Match: CODED|Accept-Encoding: gzip", 200),
        ("If-Match: x", 412),
        // §13.1.2: weak comparison
        ("If-None-Match: TAG", 304),
        ("If-None-Match: W/TAG", 304),
        ("If-None-Match: \"x\", \"y\" ,,W/TAG", 304),
        ("If-None-Match: \"x\"|if-none-match: TAG", 304),
        ("If-None-Match: *", 304),
        ("If-None-Match: \"x\"", 200),
        ("If-None-Match: \"*\"", 200),
        ("If-None-Match: x", 200),
        ("If-None-Match:", 200),
        ("If-None-Match: CODED", 200),
        ("If-None-Match: CODED|Accept-Encoding: gzip", 304),
        ("If-None-Match: TAG|Accept-Encoding: gzip", 200),
        // §13.1.3
        ("If-Modified-Since: EXACT", 304),
        ("If-Modified-Since: AFTER", 304),
        ("If-Modified-Since: BEFORE", 200),
        ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304), // §5.6.7: obsolete, but dates
        ("If-Modified-Since: Sun Nov  6 08:49:37 1994", 304),
        ("If-Modified-Since: Sun Nov  6 08:49:36 1994", 200),
        ("If-Modified-Since: 784111777", 200),
        ("If-Modified-Since: 1994-11-06T08:49:37Z", 200),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37", 200),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 CET", 200),
        ("If-Modified-Since: Sun, 31 Feb 2094 08:49:37 GMT", 200),
        ("If-Modified-Since: EXACT; length=5", 200),
        ("If-Modified-Since: EXACT, EXACT", 200),
        ("If-Modified-Since: EXACT|If-Modified-Since: EXACT", 200),
        ("If-Modified-Since:", 200),
        // §13.1.4
        ("If-Unmodified-Since: EXACT", 200),
        ("If-Unmodified-Since: AFTER", 200),
        ("If-Unmodified-Since: BEFORE", 412),
        ("If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT", 412),
        ("If-Unmodified-Since: yesterday", 200),
        // §13.2.2: the order
        ("If-Match: TAG|If-Unmodified-Since: BEFORE", 200),
        ("If-Match: \"x\"|If-Unmodified-Since: AFTER", 412),
        ("If-None-Match: \"x\"|If-Modified-Since: AFTER", 200),
        ("If-None-Match: TAG|If-Modified-Since: BEFORE", 304),
        ("If-Match: TAG|If-None-Match: TAG", 304),
        ("If-Match: \"x\"|If-None-Match: TAG", 412),
        ("If-Unmodified-Since: EXACT|If-Modified-Since: EXACT", 304),
        ("If-Unmodified-Since: BEFORE|If-None-Match: *", 412),
        ("If-None-Match: TAG|Range: bytes=0-0", 304),
        ("If-Match: \"x\"|Range: bytes=0-0", 412),
        ("If-Match: TAG|Range: bytes=0-0", 206),
        ("If-None-Match: TAG|Range: bytes=9-9", 304),
    ] {
        let reply = server.get_with("/a.txt", &fields(text, &plain, &coded));
        assert_eq!(reply.status, status, "{text}");
    }
}

/// §15.4.5: the fields of a 200 for caching and validation, and no content.
#[test]
fn not_modified() {
    let server = site();
    for coding in ["", "Accept-Encoding: gzip\r\n"] {
        let whole = server.get_with("/a.txt", coding);
        let mut conversation = server.connect();
        conversation.send(format!(
            "GET /a.txt HTTP/1.1\r\nHost: a\r\n{coding}If-None-Match: {}\r\n\r\n",
            tag(&whole)
        ));
        let reply = conversation.reply();
        assert_eq!((reply.status, reply.text()), (304, ""));
        for name in ["ETag", "Last-Modified", "Cache-Control", "Vary"] {
            assert_eq!(reply.field(name), whole.field(name), "{name}");
        }
        assert!(reply.field("Date").is_some());
        for name in ["Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding"] {
            assert_eq!(reply.field(name), None, "{name}");
        }
        assert_eq!(conversation.get("/a.txt").text(), "Hello", "no content came");
    }
}

/// §13.2.1: preconditions are ignored if the response would not be 2xx, and with OPTIONS.
#[test]
fn preconditions_of_a_missing_file_are_ignored() {
    let server = site();
    for (request, status) in [
        ("GET /none", 404),
        ("GET /directory", 301),
        ("POST /a.txt", 405),
        ("BREW /a.txt", 501),
        ("OPTIONS /a.txt", 204),
        ("GET /%zz", 400),
    ] {
        for field in ["If-Match: \"x\"", "If-None-Match: *"] {
            let request = format!("{request} HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
            assert_eq!(server.ask(&request)[0].status, status, "{request:?}");
        }
    }
}

/// A listing exists, but has no validators.
#[test]
fn preconditions_of_a_listing() {
    let server = site();
    for (field, status) in [
        ("If-Match: *", 200),
        ("If-Match: \"x\"", 412),
        ("If-None-Match: *", 304),
        ("If-None-Match: \"x\"", 200),
        ("If-Modified-Since: AFTER", 200),
        ("If-Unmodified-Since: BEFORE", 200),
    ] {
        let reply = server.get_with("/directory/", &fields(field, "", ""));
        assert_eq!(reply.status, status, "{field}");
        assert_eq!(reply.field("Vary"), Some("Accept"), "{field}");
    }
}
