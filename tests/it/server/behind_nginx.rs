//! The server behind a real nginx that fetches each file in slices, with a range request for each.

use crate::support::nginx::Nginx;
use crate::support::ranged::pattern;
use crate::support::server::TestServer;

#[test]
#[ignore = "needs nginx"]
fn files_of_every_length_come_through_nginxs_slices() {
    let server = TestServer::start();
    // `ngx_http_slice_module`.
    let nginx = Nginx::start(&format!(
        "location / {{ slice 64k; proxy_pass http://{}; proxy_http_version 1.1;\n\
         proxy_set_header Range $slice_range; }}",
        server.address()
    ));
    for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        server.file("file.bin", pattern(length));
        let reply = nginx.connect().get("/file.bin");
        assert_eq!(reply.status, 200, "{length}");
        assert!(reply.body == pattern(length), "{length}: {} came", reply.body.len());
    }
    let mut conversation = nginx.connect();
    let fields = "Host: localhost\r\nRange: bytes=199990-\r\n";
    let reply = conversation.send(format!("GET /file.bin HTTP/1.1\r\n{fields}\r\n")).reply();
    assert_eq!((reply.status, reply.body), (206, pattern(200_000)[199_990..].to_vec()));
}
