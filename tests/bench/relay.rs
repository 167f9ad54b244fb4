//! A relay that simulates a distant server: every byte arrives later by a fixed time.
//!
//! Each direction of a connection has one thread that reads and stamps the bytes with their due time, and one
//! that waits for that time and writes. So it adds latency without limiting throughput. The kernel opens
//! connections at once, which takes a round trip on a real network; a client's first bytes are delayed by as
//! much.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Buffer size of one read.
const PIECE_BYTES: usize = 64 * 1024;

/// A running relay; when dropped it accepts no more connections.
pub(crate) struct Relay {
    address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

/// Bytes and their due time.
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
}

impl Relay {
    /// Relays to a port of this machine, each way `one_way` later.
    pub(crate) fn start(port: u16, one_way: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&is_stopped);
        let acceptor = thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                // A connection that cannot be relayed is closed, which the client reports.
                if let Err(error) = relay(client, port, one_way) {
                    println!("the relay lost a connection: {error}");
                }
            }
        });
        Ok(Self { address, is_stopped, acceptor: Some(acceptor) })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then checks `stopped`.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Connects the client with the server, with threads that end with the connection.
fn relay(client: TcpStream, port: u16, one_way: Duration) -> io::Result<()> {
    let opened = Instant::now() + 2 * one_way;
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    direction(client.try_clone()?, server.try_clone()?, opened, one_way)?;
    direction(server, client, Instant::now(), one_way)
}

/// Relays bytes one way; none counts as sent before `opened`.
fn direction(
    mut from: TcpStream,
    mut to: TcpStream,
    opened: Instant,
    one_way: Duration,
) -> io::Result<()> {
    let (pieces, arriving) = mpsc::channel::<Piece>();
    thread::Builder::new().spawn(move || {
        for Piece { due, bytes } in arriving {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // An empty piece marks the end.
            if bytes.is_empty() || to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    })?;
    thread::Builder::new().spawn(move || {
        let mut room = vec![0; PIECE_BYTES];
        loop {
            let length = from.read(&mut room).unwrap_or(0);
            let due = opened.max(Instant::now()) + one_way;
            if pieces.send(Piece { due, bytes: room[..length].to_vec() }).is_err() || length == 0 {
                break;
            }
        }
    })?;
    Ok(())
}
