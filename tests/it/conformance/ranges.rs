//! Range requests (RFC 9110 §14, §13.1.5).

use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::conversation::Reply;
use crate::support::server::TestServer;

const EXACT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn site() -> TestServer {
    let server = TestServer::start();
    server.file("ten", "0123456789");
    server.file("empty", "");
    let ten = File::open(server.root().join("ten")).unwrap();
    ten.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
    server
}

/// `whole`, `none of N`, or each part as `first-last/length=bytes`, several in braces.
fn in_words(reply: &Reply) -> String {
    let part = |content_range: &str, bytes: &[u8]| {
        let range = content_range.strip_prefix("bytes ").expect("bytes");
        format!("{range}={}", bytes.escape_ascii())
    };
    match (reply.status, reply.field("Content-Range")) {
        (200, None) => "whole".to_owned(),
        (206, Some(range)) => part(range, &reply.body),
        (206, None) => {
            let parts = parts(reply);
            assert!(parts.len() > 1, "one range is no multipart (§15.3.7.2)");
            let parts: Vec<String> = parts.iter().map(|(head, bytes)| part(head, bytes)).collect();
            format!("{{{}}}", parts.join(" "))
        }
        (416, Some(range)) => format!("none of {}", range.strip_prefix("bytes */").unwrap()),
        other => panic!("{other:?}"),
    }
}

/// The parts of a `multipart/byteranges` (§14.6, RFC 2046 §5.1), each with its `Content-Range`.
fn parts(reply: &Reply) -> Vec<(String, Vec<u8>)> {
    let content_type = reply.field("Content-Type").unwrap();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let mut rest = &reply.body[..];
    let mut parts = Vec::new();
    let delimiter = format!("\r\n--{boundary}");
    loop {
        rest = rest.strip_prefix(delimiter.as_bytes()).expect("a delimiter");
        if rest == b"--\r\n" {
            return parts;
        }
        rest = rest.strip_prefix(b"\r\n").unwrap();
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a part's head");
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        rest = &rest[end + 4..];
        let (kind, range) = head.split_once("\r\n").expect("two fields");
        assert!(kind.starts_with("Content-Type: ") && !kind.contains("multipart"), "{kind}");
        let range = range.strip_prefix("Content-Range: ").unwrap();
        let bounds = range.strip_prefix("bytes ").unwrap().split('/').next().unwrap();
        let (first, last) = bounds.split_once('-').unwrap();
        let length = last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1;
        parts.push((range.to_owned(), rest[..length].to_vec()));
        rest = &rest[length..];
    }
}

fn range(server: &TestServer, target: &str, fields: &str) -> String {
    in_words(&server.get_with(target, &format!("{fields}\r\n")))
}

#[test]
fn ranges() {
    let server = site();
    for (value, expected) in [
        // §14.1.2
        ("bytes=0-0", "0-0/10=0"),
        ("bytes=2-4", "2-4/10=234"),
        ("bytes=9-9", "9-9/10=9"),
        ("bytes=7-", "7-9/10=789"),
        ("bytes=0-", "0-9/10=0123456789"),
        ("bytes=-3", "7-9/10=789"),
        ("bytes=-10", "0-9/10=0123456789"),
        ("bytes=-11", "0-9/10=0123456789"),
        ("bytes=8-100", "8-9/10=89"),
        ("bytes=002-004", "2-4/10=234"),
        ("BYTES=2-4", "2-4/10=234"), // §14.1: units have no case
        ("bytes=2-4,", "2-4/10=234"),
        ("bytes= ,2-4 ,", "2-4/10=234"),
        // numbers beyond 64 bits
        ("bytes=8-18446744073709551615", "8-9/10=89"),
        ("bytes=8-18446744073709551616", "8-9/10=89"),
        ("bytes=8-99999999999999999999999999", "8-9/10=89"),
        ("bytes=-99999999999999999999999999", "0-9/10=0123456789"),
        ("bytes=18446744073709551615-", "none of 10"),
        ("bytes=99999999999999999999999999-", "none of 10"),
        // §15.5.17
        ("bytes=10-", "none of 10"),
        ("bytes=10-20", "none of 10"),
        ("bytes=-0", "none of 10"),
        ("bytes=10-,11-12,-0", "none of 10"),
        // §14.2: malformed, or of another unit: ignored
        ("bytes", "whole"),
        ("bytes=", "whole"),
        ("bytes=-", "whole"),
        ("bytes=,", "whole"),
        ("bytes=4-2", "whole"),
        ("bytes=a-b", "whole"),
        ("bytes=0x2-4", "whole"),
        ("bytes=+2-4", "whole"),
        ("bytes=2--4", "whole"),
        ("bytes=--4", "whole"),
        ("bytes=2-4-6", "whole"),
        ("bytes=2 - 4", "whole"),
        ("bytes=2", "whole"),
        ("bytes=2-4;5-6", "whole"),
        ("bytes=2-4,x", "whole"),
        ("bytes=2-4,6-5", "whole"),
        ("bytes:2-4", "whole"),
        ("bytes 2-4", "whole"),
        ("bytes =2-4", "whole"),
        ("items=2-4", "whole"),
        ("bytes=2-4\r\nRange: bytes=2-4", "whole"),
        ("", "whole"),
        // §14.6, §15.3.7.2: several
        ("bytes=0-1,8-9", "{0-1/10=01 8-9/10=89}"),
        ("bytes=8-9,0-1", "{8-9/10=89 0-1/10=01}"), // in the requested order
        ("bytes=0-0,5-5,-1", "{0-0/10=0 5-5/10=5 9-9/10=9}"),
        ("bytes=0-1,20-30,8-9", "{0-1/10=01 8-9/10=89}"),
        ("bytes=0-1,20-30", "0-1/10=01"),
        ("bytes=0-2,2-4", "0-4/10=01234"),  // overlapping
        ("bytes=0-2,3-5", "0-5/10=012345"), // adjacent
        ("bytes=3-5,0-2", "0-5/10=012345"),
        ("bytes=0-1,4-5,2-3", "0-5/10=012345"),
        ("bytes=0-1,5-6,1-2", "{0-2/10=012 5-6/10=56}"),
        // abusive: more than there is, or too many
        ("bytes=0-,0-", "whole"),
        ("bytes=0-9,0-9,0-9", "whole"),
        ("bytes=0-5,4-9", "whole"),
    ] {
        assert_eq!(range(&server, "/ten", &format!("Range: {value}")), expected, "{value:?}");
    }
    let many = |count: usize| vec!["0-0"; count].join(",");
    server.file("thousand", "0".repeat(1000));
    for (count, expected) in [(50, "0-0/1000=0"), (51, "whole"), (2000, "whole")] {
        let found = range(&server, "/thousand", &format!("Range: bytes={}", many(count)));
        assert_eq!(found, expected, "{count} ranges");
    }
}

/// §14.2: ignored, since players and proxies that fetch in slices treat 416 as a failure.
#[test]
fn every_range_of_an_empty_file_is_ignored() {
    let server = site();
    let tag = server.connect().get("/empty").field("ETag").unwrap().to_owned();
    for value in ["0-", "0-0", "0-1048575", "1-", "7-8", "-0", "-5", "1-0", "0-0,-1", "5-,7-8"] {
        for condition in [String::new(), format!("\r\nIf-Range: {tag}")] {
            let fields = format!("Range: bytes={value}{condition}\r\n");
            let reply = server.get_with("/empty", &fields);
            assert_eq!(in_words(&reply), "whole", "{fields:?}");
            assert_eq!(reply.field("Content-Length"), Some("0"), "{fields:?}");
            assert_eq!(reply.field("Accept-Ranges"), Some("bytes"), "{fields:?}");
        }
    }
    let fields = format!("Range: bytes=0-\r\nIf-None-Match: {tag}\r\n");
    assert_eq!(server.get_with("/empty", &fields).status, 304);
}

/// §13.1.5: with a strong tag or an exact date, else the whole file.
#[test]
fn if_range() {
    let server = site();
    let tag = server.connect().get("/ten").field("ETag").unwrap().to_owned();
    let part = "2-4/10=234";
    for (value, expected) in [
        (tag.clone(), part),
        (format!("W/{tag}"), "whole"),
        ("\"other\"".to_owned(), "whole"),
        (format!("{tag}, \"other\""), "whole"),
        ("*".to_owned(), "whole"),
        (String::new(), "whole"),
        (EXACT.to_owned(), part),
        ("Sunday, 06-Nov-94 08:49:37 GMT".to_owned(), part),
        ("Sun Nov  6 08:49:37 1994".to_owned(), part),
        (EXACT.replace(":37", ":36"), "whole"),
        (EXACT.replace(":37", ":38"), "whole"), // later is not the same either
        ("yesterday".to_owned(), "whole"),
        (format!("{tag}\r\nIf-Range: {tag}"), "whole"),
    ] {
        let fields = format!("Range: bytes=2-4\r\nIf-Range: {value}");
        assert_eq!(range(&server, "/ten", &fields), expected, "{value:?}");
    }
    // Without a range it is ignored; it is evaluated before an unsatisfiable range.
    assert_eq!(range(&server, "/ten", "If-Range: \"other\""), "whole");
    assert_eq!(range(&server, "/ten", "Range: bytes=10-\r\nIf-Range: \"other\""), "whole");
    assert_eq!(
        range(&server, "/ten", &format!("Range: bytes=10-\r\nIf-Range: {tag}")),
        "none of 10"
    );
}

/// §14.3, §15.3.7, §15.5.17: the other fields of the responses.
#[test]
fn answers_about_ranges_describe_the_file() {
    let server = site();
    let whole = server.connect().get("/ten");
    assert_eq!(whole.field("Accept-Ranges"), Some("bytes"));
    for value in ["bytes=0-1", "bytes=0-1,8-9"] {
        let reply = server.get_with("/ten", &format!("Range: {value}\r\n"));
        for name in ["ETag", "Last-Modified", "Accept-Ranges", "X-Content-Type-Options"] {
            assert_eq!(reply.field(name), whole.field(name), "{name} for {value}");
        }
        assert_eq!(reply.field("Content-Length"), Some(&*reply.body.len().to_string()));
    }
    let single = server.get_with("/ten", "Range: bytes=0-1\r\n");
    assert_eq!(single.field("Content-Type"), whole.field("Content-Type"));
}

/// §14.2: ranges apply to GET only; HEAD announces support.
#[test]
fn other_methods_and_other_targets_have_no_ranges() {
    let server = site();
    let mut conversation = server.connect();
    conversation.send("HEAD /ten HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n");
    let head = conversation.reply_to_head();
    assert_eq!((head.status, head.field("Content-Length")), (200, Some("10")));
    assert_eq!(head.field("Accept-Ranges"), Some("bytes"));
    for (target, status) in [("/", 200), ("/none", 404)] {
        let reply = server.get_with(target, "Range: bytes=0-1\r\n");
        assert_eq!((reply.status, reply.field("Content-Range")), (status, None), "{target}");
    }
}

/// Parts are sent byte for byte, and the connection is kept afterwards.
#[test]
fn large_and_distant_parts_arrive_byte_for_byte() {
    let server = site();
    let content: Vec<u8> = (0..2_000_000_u32)
        .map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).unwrap())
        .collect();
    server.file("large.bin", &content);
    let mut conversation = server.connect();
    for value in ["bytes=100000-", "bytes=1-1999998", "bytes=-500000"] {
        conversation.send(format!("GET /large.bin HTTP/1.1\r\nHost: a\r\nRange: {value}\r\n\r\n"));
        let reply = conversation.reply();
        let range = reply.field("Content-Range").unwrap().strip_prefix("bytes ").unwrap();
        let (bounds, length) = range.split_once('/').unwrap();
        let (first, last) = bounds.split_once('-').unwrap();
        let bounds = first.parse::<usize>().unwrap()..=last.parse().unwrap();
        assert_eq!(length, "2000000");
        assert!(reply.body == content[bounds], "{value}");
    }
    conversation.send(
        "GET /large.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-99999,500000-1599999,-5\r\n\r\n",
    );
    let parts = parts(&conversation.reply());
    assert_eq!(parts.len(), 3);
    assert!(parts[0].1 == content[..100_000]);
    assert!(parts[1].1 == content[500_000..1_600_000]);
    assert!(parts[2].1 == content[1_999_995..]);
    assert_eq!(conversation.get("/ten").text(), "0123456789");

    let sparse = File::create(server.root().join("sparse")).unwrap();
    sparse.set_len(6 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", (6 << 30) - 3).unwrap();
    let found = range(&server, "/sparse", "Range: bytes=6442450940-,5000000000-5000000001");
    let expected =
        r"{6442450940-6442450943/6442450944=\x00end 5000000000-5000000001/6442450944=\x00\x00}";
    assert_eq!(found, expected);
}
