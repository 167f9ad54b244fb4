//! A TLS server with a correct handshake that then sends the records of a script.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::cipher::{AeadKey, Iv, MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::crypto::ring;
use rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig, ServerConnection,
    SupportedCipherSuite,
};
use socket2::SockRef;

use super::PATIENCE;
use super::certificates::Identity;
use super::scripted::{Peer, Scripted};

/// The versions of TLS, whose records differ.
pub(crate) const SUITES: [SupportedCipherSuite; 2] =
    [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS13_CHACHA20_POLY1305_SHA256];

pub(crate) const HANDSHAKE: ContentType = ContentType::Handshake;
pub(crate) const DATA: ContentType = ContentType::ApplicationData;

/// A `close_notify` alert (RFC 8446 §6.1).
pub(crate) const CLOSE_NOTIFY: (ContentType, &[u8]) = (ContentType::Alert, &[1, 0]);

/// The server's side of a connection after the handshake.
pub(crate) struct Records {
    stream: TcpStream,
    encrypter: Box<dyn MessageEncrypter>,
    next: u64,
}

impl Records {
    /// A server that runs `script` after the handshake and a request.
    pub(crate) fn server(
        suite: SupportedCipherSuite,
        identity: &Identity,
        script: impl Fn(&mut Self) + Send + Sync + 'static,
    ) -> Scripted {
        let config = config(suite, identity);
        Scripted::start(move |peer| {
            let mut records = Self::shake_hands(peer, suite, &config);
            script(&mut records);
        })
    }

    fn shake_hands(peer: &Peer, suite: SupportedCipherSuite, config: &Arc<ServerConfig>) -> Self {
        let mut stream = peer.stream().try_clone().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
        let mut head = Vec::new();
        // After the whole request is read, so that no close becomes a reset.
        while !head.ends_with(b"\r\n\r\n") || connection.wants_write() {
            connection.complete_io(&mut stream).unwrap();
            let _ = connection.reader().read_to_end(&mut head);
        }
        let secrets = connection.dangerous_extract_secrets().unwrap();
        let (next, ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets.tx else {
            panic!("another cipher suite was chosen");
        };
        Self { stream, encrypter: encrypter(suite, key, iv), next }
    }

    /// A record as it goes over the network.
    pub(crate) fn encode(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let payload = OutboundChunks::Single(payload);
        // TLS 1.3 records carry version 1.2 as well (RFC 8446 §5.2).
        let plain = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
        let record = self.encrypter.encrypt(plain, self.next).unwrap();
        self.next += 1;
        record.encode()
    }

    pub(crate) fn send(&mut self, typ: ContentType, payload: &[u8]) {
        let record = self.encode(typ, payload);
        self.send_raw(&record);
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        // The client may have closed.
        let _ = self.stream.write_all(bytes);
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Closes with a reset.
    pub(crate) fn reset(&self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Waits until the client has closed the connection.
    pub(crate) fn wait_for_close(&mut self) {
        let mut rest = [0; 1024];
        while matches!(self.stream.read(&mut rest), Ok(1..)) {}
    }
}

fn config(suite: SupportedCipherSuite, (certificate, key): &Identity) -> Arc<ServerConfig> {
    let mut provider = ring::default_provider();
    provider.cipher_suites = vec![suite];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[suite.version()])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.enable_secret_extraction = true;
    Arc::new(config)
}

fn encrypter(suite: SupportedCipherSuite, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
    match suite {
        SupportedCipherSuite::Tls12(suite) => suite.aead_alg.encrypter(key, iv.as_ref(), &[]),
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
    }
}
