//! A server over TLS from its start to its end, as a program: transfers while it drains, signals under load.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;
use rustls::ClientConfig;
use tempfile::TempDir;

use crate::support::conversation::Conversation;
use crate::support::program::ServerProgram;
use crate::support::site_certificate::{SiteCertificate, VERSIONS};
use crate::support::wait_until;

const LARGE: usize = 20_000_000;
const LARGE_REQUEST: &str = "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server as a program, with a small and a large file.
struct Program {
    server: ServerProgram,
    certificate: SiteCertificate,
    _root: TempDir,
}

impl Program {
    fn start(options: &[&str]) -> Self {
        let (root, certificate) = (tempfile::tempdir().unwrap(), SiteCertificate::new());
        fs::write(root.path().join("large.bin"), vec![7; LARGE]).unwrap();
        fs::write(root.path().join("a.txt"), "Hello").unwrap();
        let mut arguments = certificate.arguments();
        let patient = ["-p", "0", "--header-timeout", "10m", "--keep-alive-timeout", "10m"];
        arguments.extend(patient.iter().chain(options).map(|&word| word.to_owned()));
        let server = ServerProgram::start(root.path(), &arguments);
        Self { server, certificate, _root: root }
    }

    fn clients(&self) -> [Arc<ClientConfig>; 2] {
        VERSIONS.map(|version| self.certificate.client(&[version]))
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.server.port()))
    }

    fn connect(&self, client: &Arc<ClientConfig>) -> Conversation {
        connect(self.address(), client)
    }
}

fn connect(address: SocketAddr, client: &Arc<ClientConfig>) -> Conversation {
    Conversation::between(IpAddr::from([127, 0, 0, 1]), address).over_tls(Arc::clone(client))
}

#[test]
fn transfers_finish_when_the_server_is_stopped_and_end_in_order() {
    let program = Program::start(&["--drain-timeout", "1h"]);
    let clients = program.clients();
    let idle = clients.each_ref().map(|client| {
        let mut conversation = program.connect(client);
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
        conversation
    });
    let transfers: Vec<_> = clients
        .iter()
        .cycle()
        .take(8)
        .map(|client| {
            let mut conversation = program.connect(client);
            conversation.send(LARGE_REQUEST).wait_for_response();
            conversation
        })
        .collect();
    program.server.signal(Signal::TERM);
    for mut conversation in idle {
        conversation.expect_end();
    }
    let address = program.address();
    wait_until("new ones are refused", || TcpStream::connect(address).is_err());
    thread::scope(|scope| {
        for mut transfer in transfers {
            scope.spawn(move || {
                assert_eq!(transfer.reply().body.len(), LARGE, "the whole file");
                transfer.expect_end();
            });
        }
    });
    assert_eq!(program.server.wait().0.code(), Some(0));
}

#[test]
fn transfers_beyond_the_drain_timeout_are_cut_off_without_a_close_notify() {
    let program = Program::start(&["--drain-timeout", "200ms"]);
    let mut transfers = program.clients().map(|client| {
        let mut conversation = program.connect(&client);
        conversation.send(LARGE_REQUEST).wait_for_response();
        conversation
    });
    program.server.signal(Signal::TERM);
    assert_eq!(program.server.wait().0.code(), Some(0));
    for transfer in &mut transfers {
        transfer.incoming().read_to_end(&mut Vec::new()).expect_err("it was cut off");
    }
}

#[test]
fn reading_the_certificates_again_disturbs_no_connection() {
    let program = Program::start(&["--keep-alive-requests", "1000000000"]);
    let (address, clients, ended) = (program.address(), program.clients(), AtomicBool::new(false));
    let kept = program.clients().map(|client| {
        let mut conversation = program.connect(&client);
        conversation.shake_hands().unwrap();
        conversation
    });
    thread::scope(|scope| {
        // Half of them open a connection for each request.
        let loads = [(0, false), (0, true), (1, false), (1, true)].map(|(index, is_kept)| {
            let (client, ended): (&Arc<ClientConfig>, _) = (&clients[index], &ended);
            scope.spawn(move || {
                let (mut count, mut conversation) = (0, connect(address, client));
                while !ended.load(Ordering::Relaxed) {
                    if !is_kept {
                        conversation = connect(address, client);
                    }
                    assert_eq!(conversation.get("/a.txt").text(), "Hello");
                    count += 1;
                }
                count
            })
        });
        for _ in 0..50 {
            program.server.signal(Signal::HUP);
            // For the signals not to become one.
            assert_eq!(connect(address, &clients[1]).get("/a.txt").text(), "Hello");
        }
        ended.store(true, Ordering::Relaxed);
        for load in loads {
            assert!(load.join().unwrap() > 0);
        }
    });
    for mut conversation in kept {
        assert_eq!(conversation.get("/a.txt").text(), "Hello");
    }
}

/// With a line for each, anyone could fill the log.
#[test]
fn the_log_does_not_tell_what_is_wrong_with_each_handshake() {
    let program = Program::start(&[]);
    let mut stream = TcpStream::connect(program.address()).unwrap();
    // A message that no client sends first, of which rustls warns.
    stream.write_all(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    // An end or a reset.
    let _ = stream.read_to_end(&mut Vec::new());
    program.server.signal(Signal::TERM);
    let (_, log) = program.server.wait();
    assert!(!log.contains("WARN"), "{log}");
}
