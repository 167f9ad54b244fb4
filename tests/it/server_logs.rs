//! The logs of the server: whoever reads them, or does not, serving goes on.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::support::PATIENCE;
use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;

#[test]
fn a_standard_error_that_nobody_reads_stops_neither_serving_nor_the_end() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a"), "Hello").unwrap();
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
