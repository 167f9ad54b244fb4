//! What goes wrong in TLS, in words for people who do not know it.
//!
//! rustls says exactly what it met, such as a message of an invalid content type, but not what that means:
//! that a server speaks plain http. Its own words stay as the cause.

use std::{error, fmt, io};

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

/// A failure with what it means.
#[derive(Debug)]
struct Explained {
    meaning: &'static str,
    error: io::Error,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning)
    }
}

impl error::Error for Explained {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.error)
    }
}

/// The failure of a handshake with its meaning, where the failure does not say it; of the same kind.
pub(super) fn in_handshake(error: io::Error) -> io::Error {
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    let meaning = match of_tls {
        Some(Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => "what answers does not speak TLS (plain http?)",
        Some(
            Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ),
        ) => "it speaks neither TLS 1.2 nor 1.3",
        Some(Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite)) => {
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
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    match of_tls {
        // In TLS 1.3 the client has shaken hands before the server has seen what it lacks.
        Some(Error::AlertReceived(AlertDescription::CertificateRequired)) => {
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
