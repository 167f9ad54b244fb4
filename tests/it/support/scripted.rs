//! A server that sends scripted bytes, for responses that no real server sends.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::PATIENCE;

/// A running server; when dropped it waits for its scripts to end.
pub(crate) struct Scripted {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
    acceptor: Option<JoinHandle<()>>,
}

/// A client's connection, as the script sees it.
pub(crate) struct Peer {
    stream: TcpStream,
    /// The number of this connection, from zero.
    pub(crate) connection: usize,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Runs `script` for each connection, each in a thread.
    pub(crate) fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0", script)
    }

    pub(crate) fn start_on(
        address: &str,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let acceptor = {
            let (stopped, connections) = (Arc::clone(&stopped), Arc::clone(&connections));
            let heads = Arc::clone(&heads);
            thread::spawn(move || accept(&listener, &stopped, &connections, &heads, &script))
        };
        Self { address, stopped, connections, heads, acceptor: Some(acceptor) }
    }

    /// Answers each request with the bytes that `answer` returns for its target, until the client closes.
    pub(crate) fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |peer| {
            while let Some(target) = peer.read_request() {
                peer.send(answer(&target));
            }
        })
    }

    /// The same, with `answer` called with the request's head.
    pub(crate) fn answering_heads(
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |peer| {
            while let Some(head) = peer.read_head() {
                peer.send(answer(&head));
            }
        })
    }

    /// The URL of a path on this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then checks `stopped`.
        let _ = TcpStream::connect(self.address);
        let result = self.acceptor.take().unwrap().join();
        if !thread::panicking() {
            result.expect("a script failed");
        }
    }
}

fn accept(
    listener: &TcpListener,
    stopped: &AtomicBool,
    connections: &AtomicUsize,
    heads: &Arc<Mutex<Vec<String>>>,
    script: &(impl Fn(&mut Peer) + Sync),
) {
    thread::scope(|scope| {
        loop {
            let (stream, _) = listener.accept().unwrap();
            if stopped.load(Ordering::SeqCst) {
                break;
            }
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let connection = connections.fetch_add(1, Ordering::SeqCst);
            let mut peer = Peer { stream, connection, heads: Arc::clone(heads) };
            scope.spawn(move || script(&mut peer));
        }
    });
}

impl Peer {
    /// Reads one request and returns its target; `None` when the client has closed.
    pub(crate) fn read_request(&mut self) -> Option<String> {
        let head = self.read_head()?;
        Some(head.split(' ').nth(1).unwrap().to_owned())
    }

    /// Reads one request and returns its head; `None` when the client has closed.
    pub(crate) fn read_head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut byte) {
                Ok(0) => {
                    assert!(head.is_empty(), "the client closed within a head: {head:?}");
                    return None;
                }
                Ok(_) => head.extend_from_slice(&byte),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
        let head = String::from_utf8(head).unwrap();
        self.heads.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// Sends bytes. The client may have closed.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Whether this is the first request so far for this path.
    pub(crate) fn first_time(&self, path: &str) -> bool {
        let target = format!(" /{} ", path.trim_start_matches('/'));
        self.heads.lock().unwrap().iter().filter(|head| head.contains(&target)).count() == 1
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Waits until the client has closed the connection.
    pub(crate) fn wait_for_close(&mut self) {
        let mut rest = [0; 1024];
        while matches!(self.stream.read(&mut rest), Ok(1..)) {}
    }

    /// Makes the close a reset.
    pub(crate) fn reset(&mut self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A 200 with a `Content-Length`.
pub(crate) fn ok(content: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", "", content)
}

/// A response with this status, further fields (each with its line ending) and content.
pub(crate) fn answer(status: &str, fields: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n", content.len());
    [head.as_bytes(), content].concat()
}

/// A redirect, without content.
pub(crate) fn redirect(status: u16, location: &str) -> Vec<u8> {
    answer(&format!("{status} Elsewhere"), &format!("Location: {location}\r\n"), "")
}
