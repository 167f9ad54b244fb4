//! Why an archive ends before it is complete.

use std::io;

use thiserror::Error;

use crate::printable::Escaped;
use crate::server::site::error::LookupError;

/// Why an archive ends before it is complete. The paths are those beneath the root.
#[derive(Debug, Error)]
pub(crate) enum ArchiveError {
    /// A file or a directory exists and cannot be read.
    #[error("/{} cannot be read: {reason}", Escaped(path))]
    Unreadable { path: Vec<u8>, reason: String },
    /// A file has less content than the archive said before.
    #[error("/{} became shorter while it was sent", Escaped(path))]
    Shorter { path: Vec<u8> },
}

impl ArchiveError {
    pub(super) fn lookup(path: &[u8], error: LookupError) -> Self {
        let reason = match error {
            LookupError::Failed(cause) => cause.to_string(),
            other => other.to_string(),
        };
        Self::Unreadable { path: path.to_vec(), reason }
    }

    /// The error of reading the content of the file at `path`.
    pub(crate) fn content(path: &[u8], error: &io::Error) -> Self {
        let path = path.to_vec();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Shorter { path },
            _ => Self::Unreadable { path, reason: error.to_string() },
        }
    }
}
