//! A TLS server with a generated certificate.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rcgen::{Certificate, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::PATIENCE;

/// A running server; stopped when dropped.
pub(crate) struct TlsServer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    heads: Arc<Mutex<Vec<String>>>,
    acceptor: Option<JoinHandle<()>>,
    directory: TempDir,
}

impl TlsServer {
    /// Answers each request with the bytes that `answer` returns for its target, with a certificate for
    /// these names. A response with `Connection: close` is followed by a close without `close_notify`.
    pub(crate) fn answering(
        names: &[&str],
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        Self::presenting(&made.cert, &made.signing_key, answer)
    }

    /// The same with this certificate, which is also the one to trust. The key may be another one's.
    pub(crate) fn presenting(
        certificate: &Certificate,
        key: &KeyPair,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::presenting_chain(&[certificate], key, answer)
    }

    /// The same with a chain of certificates, the server's first.
    pub(crate) fn presenting_chain(
        chain: &[&Certificate],
        key: &KeyPair,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::answering_heads(chain, key, move |head| answer(head.split(' ').nth(1).unwrap()))
    }

    /// The same, with `answer` called with the request's head.
    pub(crate) fn answering_heads(
        chain: &[&Certificate],
        key: &KeyPair,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("authority.pem"), chain[0].pem()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let presented = CertifiedKey::new(chain.iter().map(|it| it.der().clone()).collect(), key);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(presented)));
        let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let (stopped, heads) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let acceptor = thread::spawn({
            let (stopped, heads) = (Arc::clone(&stopped), Arc::clone(&heads));
            move || {
                thread::scope(|scope| {
                    while let Ok((stream, _)) = listener.accept() {
                        if stopped.load(Ordering::SeqCst) {
                            break;
                        }
                        scope.spawn(|| converse(stream, &config, &answer, &heads));
                    }
                });
            }
        });
        Self { address, stopped, heads, acceptor: Some(acceptor), directory }
    }

    /// The URL of a path, with `host` as a name of this machine.
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file with the certificate to trust.
    pub(crate) fn authority(&self) -> std::path::PathBuf {
        Path::join(self.directory.path(), "authority.pem")
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then checks `stopped`.
        let _ = TcpStream::connect(self.address);
        let ended = self.acceptor.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the server panicked");
    }
}

/// Ends when the client closes, or refuses the certificate.
fn converse(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    answer: &(impl Fn(&str) -> Vec<u8> + Sync),
    heads: &Mutex<Vec<String>>,
) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream);
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let bytes = answer(&head);
        heads.lock().unwrap().push(head);
        let sent = stream.write_all(&bytes).and_then(|()| stream.flush());
        if sent.is_err() || bytes.windows(17).any(|window| window == b"Connection: close") {
            return;
        }
    }
}
