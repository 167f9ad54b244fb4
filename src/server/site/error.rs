//! Why a site cannot be opened, and why a path of it is not served.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;
use thiserror::Error;

/// Why a site cannot be opened.
#[derive(Debug, Error)]
pub enum SiteError {
    /// The root is not a directory, or cannot be opened.
    #[error("cannot serve the directory {}", path.display())]
    Root { path: PathBuf, source: io::Error },
    /// The root can be opened, but the process may not call `openat2`, which confines paths to it.
    #[error("cannot serve the directory {}: the system call openat2 is denied", path.display())]
    Denied { path: PathBuf, source: io::Error },
    /// The name of an index file is not a plain file name.
    #[error("{0:?} cannot be an index file: a name without a path is needed")]
    IndexName(String),
}

/// Why a path is not served.
#[derive(Debug, Error)]
pub(crate) enum LookupError {
    /// Nothing has this name, or nothing that is served. Answered with 404.
    #[error("not found")]
    NotFound,
    /// It exists, but may not be read. Answered with 403.
    #[error("not readable")]
    Forbidden,
    /// The path of the root names no directory at present. Answered with 503.
    #[error("the root is not a directory")]
    NoRoot,
    /// The system fails for now: no descriptors or no memory left, a disk error. Answered with 503.
    #[error("cannot open")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            // Includes sockets, missing devices, and links that lead out of the root.
            Some(
                Errno::NOENT
                | Errno::NOTDIR
                | Errno::LOOP
                | Errno::XDEV
                | Errno::NAMETOOLONG
                | Errno::INVAL
                | Errno::NXIO
                | Errno::NODEV
                | Errno::OPNOTSUPP,
            ) => Self::NotFound,
            Some(Errno::ACCESS | Errno::PERM) => Self::Forbidden,
            _ => Self::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_become_not_found_forbidden_or_failed() {
        for (errno, expected) in [
            (Errno::NOENT, "NotFound"),
            (Errno::NOTDIR, "NotFound"),
            (Errno::LOOP, "NotFound"),
            (Errno::XDEV, "NotFound"),
            (Errno::NAMETOOLONG, "NotFound"),
            (Errno::NXIO, "NotFound"),
            (Errno::ACCESS, "Forbidden"),
            (Errno::PERM, "Forbidden"),
            (Errno::MFILE, "Failed"),
            (Errno::NFILE, "Failed"),
            (Errno::NOMEM, "Failed"),
            (Errno::IO, "Failed"),
            (Errno::AGAIN, "Failed"),
        ] {
            let error = format!("{:?}", LookupError::from(io::Error::from(errno)));
            assert!(error.starts_with(expected), "{errno:?} became {error}");
        }
        let other = LookupError::from(io::Error::other("no error of the system"));
        assert!(matches!(other, LookupError::Failed(_)));
    }
}
