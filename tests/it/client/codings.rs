//! Content codings: the file's own format is saved byte for byte, other codings are decoded, and content that
//! cannot be decoded completely is a failure.

use std::fs;
use std::io::Write as _;

use flate2::Compression as Level;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http_concurrent::client::{
    Compression, Destination, FailureKind, FetchError, Hashing, Retrieval, SaveSettings, Settings,
};

use crate::support::client::{run, stderr, stdout};
use crate::support::fetching::{fetch, fetch_into, fetch_once, fetch_with, settings};
use crate::support::parts::leave_part;
use crate::support::ranged::{field, pattern, range, ranged};
use crate::support::scripted::{Scripted, answer};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Level::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Level::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

/// `Hello, world! ` 3,000 times and `The end.\n`, in brotli.
const BROTLI: &[u8] = b"\x1b\x18\xa4\xf8E'\xe7\x17\xfa\xbd%\x1cA\xb7\xafZ\x95Y\x82\xb9L>\xa0AN\
    \x1e'_l\xdeM\x00Q\xcf$|\xdb\x00";

fn text() -> Vec<u8> {
    [&b"Hello, world! ".repeat(3000)[..], b"The end.\n"].concat()
}

/// A 200 with this `Content-Encoding`, and a validator that would allow continuing and splitting.
fn coded(coding: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", &format!("Content-Encoding: {coding}\r\nETag: \"v\"\r\n"), content)
}

fn asking() -> Settings {
    Settings { compression: Compression::Asked, ..settings(1) }
}

#[test]
fn coded_content_is_saved_decoded() {
    let text = text();
    let large = pattern(3 << 20);
    for (coding, content, expected) in [
        ("gzip", gzip(&text), &text),
        ("X-Gzip", [gzip(&text[..100]), gzip(&text[100..])].concat(), &text),
        ("deflate", zlib(&text), &text),
        ("deflate", raw_deflate(&text), &text),
        ("br", BROTLI.to_vec(), &text),
        ("zstd", zstd(&text), &text),
        ("gzip, identity, deflate", zlib(&gzip(&text)), &text),
        ("gzip", gzip(&large), &large),
        ("zstd", zstd(&large), &large),
        ("gzip", Vec::new(), &Vec::new()),
        ("br", Vec::new(), &Vec::new()),
        ("utf-8", b"plain".to_vec(), &b"plain".to_vec()),
        ("none", b"plain".to_vec(), &b"plain".to_vec()),
        ("aws-chunked, binary,,", b"plain".to_vec(), &b"plain".to_vec()),
        ("", b"plain".to_vec(), &b"plain".to_vec()),
    ] {
        let came = content.len() as u64;
        let fetched = fetch_once(coded(coding, content));
        assert!(fetched.run.outcomes[0].result.is_ok(), "{coding}: {:?}", fetched.run.outcomes[0]);
        assert!(fetched.content("file") == *expected, "{coding}");
        assert_eq!(fetched.names(), ["file"], "{coding}: no notes, no part");
        assert_eq!(fetched.run.bytes(), expected.len() as u64, "{coding}");
        assert_eq!(fetched.run.outcomes[0].received, came, "{coding}");
    }
}

#[test]
fn every_framing_carries_coded_content_and_its_connection_is_kept() {
    let text = text();
    let coded = gzip(&text);
    let server = Scripted::answering(move |target| match target {
        "/chunked" => {
            let mut answer =
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
                    .to_vec();
            for byte in &coded {
                answer.extend_from_slice(b"1\r\n");
                answer.push(*byte);
                answer.extend_from_slice(b"\r\n");
            }
            answer.extend_from_slice(b"0\r\n\r\n");
            answer
        }
        _ => answer("200 OK", "Content-Encoding: gzip\r\n", &coded),
    });
    let fetched = fetch(1, &["/chunked", "/length", "/again"].map(|path| server.url(path)));
    fetched.assert_success();
    assert_eq!(server.connections(), 1);
    for name in ["chunked", "length", "again"] {
        assert!(fetched.content(name) == text, "{name}");
    }
    let head = b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
    assert!(fetch_once([&head[..], &gzip(&text)].concat()).content("file") == text);
}

#[test]
fn a_coding_that_is_the_format_of_the_file_is_saved_byte_for_byte() {
    let inner = gzip(&text());
    for (path, fields, content, expected) in [
        ("/x.tar.gz", "Content-Encoding: x-gzip\r\n", inner.clone(), &inner),
        ("/X.TGZ?a=b", "Content-Encoding: gzip\r\n", inner.clone(), &inner),
        ("/x.svgz", "Content-Encoding: gzip\r\n", inner.clone(), &inner),
        ("/x.gz.sig", "Content-Encoding: x-gzip\r\n", b"no gzip".to_vec(), &b"no gzip".to_vec()),
        ("/x.br", "Content-Encoding: br\r\n", inner.clone(), &inner),
        ("/x.zst", "Content-Encoding: zstd\r\n", inner.clone(), &inner),
        ("/x.Z", "Content-Encoding: x-compress\r\n", inner.clone(), &inner),
        (
            "/get",
            "Content-Encoding: gzip\r\nContent-Type: application/gzip\r\n",
            inner.clone(),
            &inner,
        ),
        (
            "/get",
            "Content-Encoding: gzip\r\nContent-Disposition: attachment; filename=\"a.tgz\"\r\n",
            inner.clone(),
            &inner,
        ),
        ("/x.tar.gz", "Content-Encoding: gzip, gzip\r\n", gzip(&inner), &inner),
        ("/x.tar.gz", "Content-Encoding: gzip, deflate\r\n", zlib(&inner), &inner),
    ] {
        let bytes = answer("200 OK", fields, content);
        let server = Scripted::answering(move |_| bytes.clone());
        let fetched = fetch(1, &[server.url(path)]);
        fetched.assert_success();
        assert!(fetched.content(&fetched.names()[0]) == *expected, "{path} {fields:?}");
    }
}

#[test]
fn content_that_cannot_be_decoded_completely_is_a_failure() {
    let text = text();
    let (good, mut damaged) = (gzip(&text), gzip(&text));
    let crc = damaged.len() - 8;
    damaged[crc] ^= 1;
    let cut = &good[..good.len() - 1];
    for (coding, content, cause, message) in [
        ("gzip", cut.to_vec(), FailureKind::Incomplete, "cannot decode the content (gzip)"),
        ("gzip", damaged, FailureKind::Protocol, "cannot decode the content (gzip)"),
        (
            "gzip",
            [&good[..], b"\n"].concat(),
            FailureKind::Protocol,
            "cannot decode the content (gzip)",
        ),
        ("gzip", b"plain".to_vec(), FailureKind::Incomplete, "cannot decode the content (gzip)"),
        ("gzip", text.clone(), FailureKind::Protocol, "cannot decode the content (gzip)"),
        ("deflate", text.clone(), FailureKind::Protocol, "cannot decode the content (deflate)"),
        ("br", BROTLI[..20].to_vec(), FailureKind::Incomplete, "cannot decode the content (br)"),
        (
            "zstd",
            zstd(&text)[..20].to_vec(),
            FailureKind::Incomplete,
            "cannot decode the content (zstd)",
        ),
        (
            "deflate, gzip",
            gzip(b"x"),
            FailureKind::Incomplete,
            "cannot decode the content (deflate)",
        ),
        (
            "exi",
            good.clone(),
            FailureKind::Protocol,
            "the content is coded with exi, which cannot be decoded",
        ),
        (
            "compress",
            good.clone(),
            FailureKind::Protocol,
            "the content is coded with compress, which cannot be decoded",
        ),
        (
            "gzip, gzip, gzip, gzip",
            good.clone(),
            FailureKind::Protocol,
            "the content has more than 3 codings",
        ),
    ] {
        let error = fetch_once(coded(coding, &content)).into_failure();
        assert_eq!((error.to_string().as_str(), error.kind()), (message, cause), "{coding}");
    }
    // The body itself is short, which is the reported error.
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        good.len()
    );
    let error = fetch_once([head.as_bytes(), cut].concat()).into_failure();
    assert!(matches!(error, FetchError::Body(_)), "{error:?}");
}

#[test]
fn content_expands_within_a_bound() {
    // Gzip expands at most 1,030 times; applied twice, far more.
    let zeros = gzip(&vec![0; 70 << 20]);
    let fetched = fetch_once(coded("gzip", &zeros));
    fetched.assert_success();
    assert_eq!(fetched.run.bytes(), 70 << 20);
    let error = fetch_once(coded("gzip, gzip", gzip(&zeros))).into_failure();
    let FetchError::Decode { error, .. } = error else { panic!("{error:?}") };
    assert_eq!(
        error.to_string(),
        "it expands to more than 64 MiB and more than 1100 times its length"
    );
}

#[test]
fn a_part_is_never_continued_by_coded_content_and_decoded_content_leaves_none() {
    let content = pattern(300_000);
    for answers_coded_range in [false, true] {
        let copy = content.clone();
        let server = Scripted::answering_heads(move |head| {
            if range(head).is_some() && answers_coded_range {
                let fields =
                    "Content-Range: bytes 100000-299999/300000\r\nContent-Encoding: gzip\r\n";
                return answer("206 Partial Content", fields, gzip(&copy[100_000..]));
            }
            coded("gzip", gzip(&copy))
        });
        let directory = tempfile::tempdir().unwrap();
        let url = server.url("/file");
        let notes = r#""validator":{"tag":"\"v\""},"length":300000"#;
        leave_part(directory.path(), ("file", &url), &content[..100_000], notes);
        let fetched = fetch_into(directory, &settings(1), &[url]);
        fetched.assert_success();
        assert!(fetched.content("file") == content);
        assert_eq!(fetched.names(), ["file"]);
        let Retrieval::Fetched { continued_from, .. } =
            fetched.run.outcomes[0].result.as_ref().unwrap().retrieval
        else {
            panic!("it was fetched")
        };
        assert_eq!(continued_from, 0);
        assert_eq!(range(&server.heads()[0]), Some((100_000, None)));
    }
}

#[test]
fn a_compressed_file_is_continued_whatever_coding_the_server_names() {
    let content = gzip(&pattern(300_000));
    let copy = content.clone();
    let server = Scripted::answering_heads(move |head| {
        let plain = ranged(head, "\"v\"", &copy);
        let end = plain.windows(2).position(|bytes| bytes == b"\r\n").unwrap() + 2;
        [&plain[..end], b"Content-Encoding: x-gzip\r\n", &plain[end..]].concat()
    });
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("/x.tar.gz");
    let length = content.len();
    let notes = format!(r#""validator":{{"tag":"\"v\""}},"length":{length}"#);
    leave_part(directory.path(), ("x.tar.gz", &url), &content[..1000], &notes);
    let fetched = fetch_into(directory, &settings(1), &[url]);
    fetched.assert_success();
    assert!(fetched.content("x.tar.gz") == content);
    assert_eq!(server.heads().len(), 1);
}

#[test]
fn codings_are_requested_only_with_the_option_and_for_suitable_files() {
    let accepted = |head: &str| field(head, "Accept-Encoding").unwrap().to_owned();
    let text = text();
    let copy = text.clone();
    let server = Scripted::answering_heads(move |head| {
        if accepted(head) == "identity" {
            answer("200 OK", "Content-Type: application/gzip\r\n", gzip(&copy))
        } else if head.contains("/get ") {
            // Coded once more, as requested.
            let fields = "Content-Type: application/gzip\r\nContent-Encoding: gzip\r\n";
            answer("200 OK", fields, gzip(&gzip(&copy)))
        } else {
            coded("gzip", gzip(&copy))
        }
    });
    let urls = ["/file", "/x.tar.gz", "/get"].map(|path| server.url(path));
    for destination in [Destination::File, Destination::Discard] {
        let before = server.heads().len();
        let saving =
            SaveSettings { destination, hashing: Hashing::Sha256, ..SaveSettings::default() };
        let fetched = fetch_with(&Settings { saving, ..asking() }, &urls);
        fetched.assert_success();
        if destination == Destination::File {
            assert!(fetched.content("file") == text);
            assert!(fetched.content("x.tar.gz") == gzip(&text));
            assert!(fetched.content("get") == gzip(&text));
        }
        let lengths: Vec<_> =
            fetched.run.outcomes.iter().map(|o| o.result.as_ref().unwrap().bytes).collect();
        let length = gzip(&text).len() as u64;
        assert_eq!(lengths, [text.len() as u64, length, length]);
        let asked: Vec<_> = server.heads()[before..].iter().map(|head| accepted(head)).collect();
        let all = "gzip, deflate, br, zstd";
        assert_eq!(asked, [all, "identity", all, "identity"]);
    }
}

#[test]
fn the_program_verifies_and_reports_what_is_saved() {
    let server = Scripted::answering(|_| coded("gzip", gzip(b"Hello\n")));
    let directory = tempfile::tempdir().unwrap();
    // sha256sum of "Hello\n"
    let sum = "66a045b452102c59d840ec097d59d9467e13a3f34f6494e539ffd32c1bb35f18";
    fs::write(directory.path().join("sums"), format!("{sum}  file\n")).unwrap();
    let url = server.url("/file");
    let arguments = ["-urls", &url, "--checksum-file", "sums", "--compressed", "--json", "-"];
    let output = run(&arguments, directory.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let fetch = &json["fetches"][0];
    assert_eq!(fetch["bytes"], 6);
    assert_eq!(fetch["received"], gzip(b"Hello\n").len());
    assert_eq!(fs::read(directory.path().join("downloads/file")).unwrap(), b"Hello\n");
}
