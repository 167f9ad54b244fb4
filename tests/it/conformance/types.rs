//! `Content-Encoding` of files whose names imply it (RFC 9110 §8.4).

use std::fs::read;

use crate::support::server::TestServer;

/// The first bytes of a gzip file (RFC 1952 §2.3), and some more.
const GZIPPED: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03and more of it";

/// RFC 9110 §8.4.1.3. There is no other representation, so the response does not depend on the request.
#[test]
fn a_compressed_svg_has_its_coding_whatever_the_client_accepts() {
    let server = TestServer::start();
    for name in ["a.svgz", "A.SVGZ", "dir/index.svgz", "scene.x3dz", "scene.wrz", "a.emz"] {
        server.file(name, GZIPPED);
        server.file(&format!("{name}.gz"), "coded once more");
        for accepted in ["", "Accept-Encoding: gzip\r\n", "Accept-Encoding: identity, *;q=0\r\n"] {
            let reply = server.get_with(&format!("/{name}"), accepted);
            assert_eq!((reply.status, &*reply.body), (200, GZIPPED), "{name} {accepted:?}");
            assert_eq!(reply.field("Content-Encoding"), Some("gzip"), "{name} {accepted:?}");
            assert_eq!(reply.field("Vary"), None, "{name} {accepted:?}");
        }
    }
    let whole = server.connect().get("/a.svgz");
    assert_eq!(whole.field("Content-Type"), Some("image/svg+xml"));
    assert!(whole.field("ETag").unwrap().ends_with("-gzip\""), "it is no tag of the plain content");

    let part = server.get_with("/a.svgz", "Range: bytes=0-1\r\n");
    assert_eq!((part.status, &*part.body), (206, &b"\x1f\x8b"[..]));
    assert_eq!(part.field("Content-Encoding"), Some("gzip"), "the range is one of the coded bytes");
    let mut conversation = server.connect();
    conversation.send("HEAD /a.svgz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(conversation.reply_to_head().head(), whole.head());
}

/// Compressed files with the type of the compressed format are saved unchanged.
#[test]
fn archives_and_plain_drawings_have_no_coding() {
    let server = TestServer::start();
    for name in ["a.tgz", "a.tar.gz", "a.js.gz", "a.zst", "a.br", "a.svg", "svgz"] {
        server.file(name, GZIPPED);
        let reply = server.get_with(&format!("/{name}"), "Accept-Encoding: gzip\r\n");
        assert_eq!(reply.field("Content-Encoding"), None, "{name}");
        assert_eq!(reply.body, read(server.root().join(name)).unwrap(), "{name}");
    }
}
