//! Why a site cannot be opened, and why a path of it is not served.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

/// A site cannot be opened.
#[derive(Debug)]
pub enum SiteError {
    /// The root is no directory, or cannot be opened.
    Root { path: PathBuf, source: io::Error },
    /// The root can be opened, but `openat2`, which keeps paths beneath it, is denied to this process.
    Denied { path: PathBuf, source: io::Error },
    /// The name of an index file is no plain file name.
    IndexName(String),
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root { path, .. } => write!(f, "cannot serve the directory {}", path.display()),
            Self::Denied { path, .. } => write!(
                f,
                "cannot serve the directory {}: the system call openat2 is denied",
                path.display()
            ),
            Self::IndexName(name) => {
                write!(f, "{name:?} cannot be an index file: a name without a path is needed")
            }
        }
    }
}

impl std::error::Error for SiteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Root { source, .. } | Self::Denied { source, .. } => Some(source),
            Self::IndexName(_) => None,
        }
    }
}

/// Why there is no answer from the site: `404`, `403`, or, for a failure that may pass, `503`.
#[derive(Debug)]
pub(in crate::server) enum Absence {
    /// There is nothing of that name, or nothing that is served.
    NotFound,
    /// It is there, but may not be read.
    Forbidden,
    /// The path of the root names no directory at present.
    NoRoot,
    /// It may be there, but the system fails just now: no descriptors or no memory left, a disk error.
    Failed(io::Error),
}

impl From<io::Error> for Absence {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            // What cannot be opened without waiting for someone (a socket, a device that is not
            // there) is not served, and neither is what a link leads out of the root to.
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
    fn what_the_system_says_becomes_absent_forbidden_or_failed() {
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
            let absence = format!("{:?}", Absence::from(io::Error::from(errno)));
            assert!(absence.starts_with(expected), "{errno:?} became {absence}");
        }
        let other = Absence::from(io::Error::other("no error of the system"));
        assert!(matches!(other, Absence::Failed(_)));
    }
}
