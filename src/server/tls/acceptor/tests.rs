use std::fs;
use std::io::{Read as _, Write as _};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, ProtocolVersion,
    ServerConnection, SignatureScheme, SupportedProtocolVersion, version,
};

use super::*;
use crate::server::tls::test_certificates::{Identity, leaf, self_signed, write};

/// Accepts every certificate.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn client(version: &'static SupportedProtocolVersion, protocols: &[&str]) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    config.resumption = Resumption::in_memory_sessions(16);
    config
}

/// Both ends of a connection.
struct Pair {
    client: ClientConnection,
    server: ServerConnection,
}

impl Pair {
    fn new(client: &Arc<ClientConfig>, acceptor: &TlsAcceptor) -> Self {
        let name = ServerName::try_from("a.example").unwrap();
        Self {
            client: ClientConnection::new(Arc::clone(client), name).unwrap(),
            server: ServerConnection::new(acceptor.config()).unwrap(),
        }
    }

    /// The handshake, with the tickets after it.
    fn shake(mut self) -> Result<Self, Error> {
        while self.client.wants_write() || self.server.wants_write() {
            let mut bytes = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut bytes).unwrap();
            }
            self.server.read_tls(&mut &*bytes).unwrap();
            self.server.process_new_packets()?;
            bytes.clear();
            while self.server.wants_write() {
                self.server.write_tls(&mut bytes).unwrap();
            }
            self.client.read_tls(&mut &*bytes).unwrap();
            self.client.process_new_packets()?;
        }
        Ok(self)
    }

    fn kind(&self) -> HandshakeKind {
        self.client.handshake_kind().unwrap()
    }

    fn presented(&self) -> CertificateDer<'static> {
        self.client.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

fn acceptor(directory: &std::path::Path, identities: &[&Identity]) -> TlsAcceptor {
    let pairs = identities.iter().zip('a'..);
    let pairs = pairs.map(|(it, name)| write(directory, &name.to_string(), it)).collect();
    TlsAcceptor::new(TlsSettings { pairs }).unwrap()
}

#[test]
fn both_versions_are_spoken_and_a_ticket_resumes_a_session() {
    let directory = tempfile::tempdir().unwrap();
    let acceptor = acceptor(directory.path(), &[&self_signed(&leaf(&["a.example"]))]);
    for (version, expected) in
        [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let client = Arc::new(client(version, &[]));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut pair = Pair::new(&client, &acceptor).shake().unwrap();
            assert_eq!((pair.client.protocol_version(), pair.kind()), (Some(expected), kind));
            assert_eq!(pair.client.alpn_protocol(), None);
            pair.client.writer().write_all(b"Hello").unwrap();
            let mut pair = pair.shake().unwrap();
            let mut text = [0; 5];
            pair.server.reader().read_exact(&mut text).unwrap();
            assert_eq!(&text, b"Hello");
        }
    }
}

#[test]
fn a_protocol_that_is_not_http_1_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let acceptor = acceptor(directory.path(), &[&self_signed(&leaf(&["a.example"]))]);
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some("http/1.1")),
        (&["http/1.0", "http/1.1"], Some("http/1.1")),
        (&["http/1.0"], Some("http/1.0")),
        (&["h2"], None),
    ] {
        let client = Arc::new(client(&version::TLS13, offered));
        let pair = Pair::new(&client, &acceptor).shake();
        let found = pair.as_ref().map(|pair| pair.client.alpn_protocol().unwrap());
        match chosen {
            Some(protocol) => assert_eq!(found.unwrap(), protocol.as_bytes(), "{offered:?}"),
            None => assert!(matches!(found, Err(Error::NoApplicationProtocol)), "{offered:?}"),
        }
    }
}

#[test]
fn a_change_of_certificates_ends_resumption_and_no_change_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let first = self_signed(&leaf(&["a.example"]));
    let acceptor = acceptor(directory.path(), &[&first, &self_signed(&leaf(&["b.example"]))]);
    let second = self_signed(&leaf(&["a.example"]));
    let client = Arc::new(client(&version::TLS13, &[]));
    let handshake = || Pair::new(&client, &acceptor).shake().unwrap();
    let mut open = handshake();
    assert_eq!(open.presented(), *first.0.der());
    assert_eq!(acceptor.reload().unwrap().len(), 2);
    assert_eq!(handshake().kind(), HandshakeKind::Resumed);
    write(directory.path(), "a", &second);
    assert_eq!(handshake().kind(), HandshakeKind::Resumed, "the files were not read again");
    acceptor.reload().unwrap();
    let pair = handshake();
    assert_eq!((pair.kind(), pair.presented()), (HandshakeKind::Full, second.0.der().clone()));
    // The open connection goes on.
    open.client.writer().write_all(b"Hello").unwrap();
    open.shake().unwrap().server.reader().read_exact(&mut [0; 5]).unwrap();
}

#[test]
fn one_bad_file_keeps_all_former_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let identities = [self_signed(&leaf(&["a.example"])), self_signed(&leaf(&["b.example"]))];
    let acceptor = acceptor(directory.path(), &[&identities[0], &identities[1]]);
    // The first pair is good and new.
    write(directory.path(), "a", &self_signed(&leaf(&["a.example"])));
    let good = fs::read_to_string(directory.path().join("b.pem")).unwrap();
    for bad in ["", &good[..good.len() / 2], &good.replacen("MII", "M!I", 1)] {
        fs::write(directory.path().join("b.pem"), bad).unwrap();
        assert!(acceptor.reload().is_err(), "{bad}");
        let client = Arc::new(client(&version::TLS12, &[]));
        let presented = Pair::new(&client, &acceptor).shake().unwrap().presented();
        assert_eq!(presented, *identities[0].0.der());
    }
    fs::remove_file(directory.path().join("b.key")).unwrap();
    assert!(acceptor.reload().is_err());
}
