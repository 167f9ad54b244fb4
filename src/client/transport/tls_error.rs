//! Explains errors of TLS.
//!
//! rustls reports what it received, such as an invalid content type, but not what that means: the server
//! speaks plain HTTP. Its error stays as the cause.

use std::io;

use rustls::{AlertDescription, InvalidMessage, PeerIncompatible, PeerMisbehaved};
use thiserror::Error;

/// An error with an explanation.
#[derive(Debug, Error)]
#[error("{meaning}")]
struct Explained {
    meaning: &'static str,
    #[source]
    error: io::Error,
}

/// Explains an error of the handshake, if its own text does not. The kind is kept.
pub(super) fn in_handshake(error: io::Error) -> io::Error {
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    let meaning = match of_tls {
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => "the server does not speak TLS (plain http?)",
        Some(
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ),
        ) => "the server speaks neither TLS 1.2 nor 1.3",
        Some(rustls::Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite)) => {
            "the server chose a cipher suite that was not offered"
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was closed during the handshake"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), Explained { meaning, error })
}

/// Explains an error after the handshake.
pub(super) fn in_content(error: io::Error) -> io::Error {
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match of_tls {
        // In TLS 1.3 the client completes the handshake before the server checks its certificate.
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            let meaning = "the server requires a client certificate, and there is none";
            io::Error::new(io::ErrorKind::PermissionDenied, Explained { meaning, error })
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            // Not as the cause: rustls adds a link to its manual.
            let meaning =
                "the connection ended without a close_notify of TLS, so content may be missing";
            io::Error::new(io::ErrorKind::UnexpectedEof, meaning)
        }
        _ => error,
    }
}
