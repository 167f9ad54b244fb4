use std::io::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rustls::version::{TLS12, TLS13};

use super::*;
use crate::server::connection::test_tls::{LONG, client, encrypted, sockets};
use crate::server::tls::test_configs::configs;

#[test]
fn a_handshake_may_have_begun_before() {
    let (server, client_config) = configs(&TLS13);
    let mut hello = Vec::new();
    client(&client_config).write_tls(&mut hello).unwrap();
    for at in [1, 5, 6, hello.len() / 2, hello.len() - 1] {
        let (mut peer, stream) = sockets();
        let mut connection = client(&client_config);
        let mut hello = Vec::new();
        connection.write_tls(&mut hello).unwrap();
        // A ClientHello has no fixed length.
        let at = at.min(hello.len() - 1);
        let (received, later) = hello.split_at(at);
        let mut input = Input::with_capacity(64);
        input.fill(&mut &*received).unwrap();
        while input.data().len() < at {
            let from = input.data().len();
            input.fill(&mut &received[from..]).unwrap();
        }
        peer.write_all(later).unwrap();
        let shaking = thread::spawn(move || {
            while connection.is_handshaking() {
                connection.complete_io(&mut peer).unwrap();
            }
        });
        let mut transport = Transport::new(&stream, None, ReadTimeout::default());
        let session = TlsSession::new(Arc::clone(&server)).unwrap();
        transport.encrypt(session, &mut input, Deadline::after(LONG)).unwrap();
        assert_eq!(input.data(), b"", "at {at}");
        shaking.join().unwrap();
    }
}

#[test]
fn a_late_handshake_fails_and_so_does_one_that_is_none() {
    let (server, client_config) = configs(&TLS13);
    let mut hello = Vec::new();
    client(&client_config).write_tls(&mut hello).unwrap();
    for (sent, disconnects, expected) in [
        (&hello[..20], false, &[io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut][..]),
        (&hello, false, &[io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]),
        (&hello[..20], true, &[io::ErrorKind::UnexpectedEof]),
        (&[22, 3, 1, 0, 4, 9, 0, 0, 0], false, &[io::ErrorKind::InvalidData]),
    ] {
        let (mut peer, stream) = sockets();
        peer.write_all(sent).unwrap();
        if disconnects {
            peer.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut transport = Transport::new(&stream, None, ReadTimeout::default());
        let deadline = Deadline::after(Duration::from_millis(50));
        let mut input = Input::with_capacity(64);
        let session = TlsSession::new(Arc::clone(&server)).unwrap();
        let error = transport.encrypt(session, &mut input, deadline).unwrap_err();
        assert!(expected.contains(&error.kind()), "{} bytes: {error}", sent.len());
        assert!(transport.session.is_none());
    }
}

#[test]
fn one_limit_holds_for_all_reads_of_a_record() {
    for version in [&TLS12, &TLS13] {
        let (peer, stream) = sockets();
        let (mut transport, mut peer) = encrypted(&stream, peer, version);
        let mut record = Vec::new();
        peer.conn.writer().write_all(b"a request").unwrap();
        peer.conn.write_tls(&mut record).unwrap();
        let dripping = thread::spawn(move || {
            for byte in record {
                thread::sleep(Duration::from_millis(20));
                if peer.sock.write_all(&[byte]).is_err() {
                    break;
                }
            }
            peer
        });
        let begun = Instant::now();
        let error = transport.within(Duration::from_millis(100)).read(&mut [0; 99]).unwrap_err();
        assert!(crate::net::is_timeout(&error), "{error}");
        assert!(begun.elapsed() >= Duration::from_millis(100));
        // The rest of the record is not lost.
        let mut buffer = [0; 99];
        let count = transport.until(Deadline::after(LONG)).read(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"a request");
        let peer = dripping.join().unwrap();
        peer.sock.shutdown(std::net::Shutdown::Write).unwrap();
        let end = transport.within(LONG).read(&mut buffer).unwrap();
        assert_eq!(end, 0, "a peer that disconnects without a word has ended");
    }
}

#[test]
fn the_last_bytes_arrive_with_the_word_that_nothing_follows() {
    for version in [&TLS12, &TLS13] {
        let (peer, stream) = sockets();
        let (mut transport, mut peer) = encrypted(&stream, peer, version);
        transport.send_last(b"the last").unwrap();
        let mut received = Vec::new();
        // Without a close_notify it were an error.
        peer.read_to_end(&mut received).unwrap();
        assert_eq!(received, b"the last");
    }
}
