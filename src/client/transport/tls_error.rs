//! What goes wrong in TLS, in words for people who do not know it.
//!
//! rustls says exactly what it met, such as a message of an invalid content type, but not what that means:
//! that a server speaks plain http. Its own words stay as the cause.

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

/// The failure of a handshake with its meaning, where the failure does not say it; of the same kind.
pub(super) fn in_handshake(error: io::Error) -> io::Error {
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    let meaning = match of_tls {
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => "what answers does not speak TLS (plain http?)",
        Some(
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ),
        ) => "it speaks neither TLS 1.2 nor 1.3",
        Some(rustls::Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite)) => {
            "it chose a cipher suite that was not offered"
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was closed within the handshake"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), Explained { meaning, error })
}

/// The failure of a connection after the handshake, likewise.
pub(super) fn in_content(error: io::Error) -> io::Error {
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match of_tls {
        // In TLS 1.3 the client has shaken hands before the server has seen what it lacks.
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            let meaning = "the server wants a certificate of its client, and there is none";
            io::Error::new(io::ErrorKind::PermissionDenied, Explained { meaning, error })
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            // rustls adds the address of its manual.
            let meaning =
                "the connection ended without a close_notify of TLS, so more may have been to come";
            io::Error::new(io::ErrorKind::UnexpectedEof, meaning)
        }
        _ => error,
    }
}
