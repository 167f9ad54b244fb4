//! The output directory, held open, and the paths of the files in it.
//!
//! Every file is opened relative to the directory's descriptor, one component of its path at a time and
//! never through a symbolic link, so that a planted link cannot make a download write elsewhere.
//! `part_paths` has the files that are not complete.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, statat};
use rustix::io::Errno;
use thiserror::Error;

use crate::client::error::FetchError;
use crate::client::redact::redacted_path;

/// A directory that exists and is writable.
#[derive(Clone, Debug)]
pub struct OutputDirectory {
    path: PathBuf,
    handle: Arc<OwnedFd>,
}

/// Why files cannot be written into a directory.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// The directory does not exist and cannot be made.
    #[error("cannot make the output directory {}", redacted_path(path))]
    Create {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// The path exists and is not a directory.
    #[error("the output directory {} is not a directory", redacted_path(path))]
    NotADirectory { path: PathBuf },
    /// No file can be made in the directory.
    #[error("cannot write into the output directory {}", redacted_path(path))]
    Write {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
}

impl OutputDirectory {
    /// Makes the directory and its parents if they are missing.
    ///
    /// # Errors
    /// If the directory cannot be made or is not writable.
    pub fn prepare(path: impl Into<PathBuf>) -> Result<Self, DirectoryError> {
        let path = path.into();
        if let Err(error) = fs::create_dir_all(&path) {
            return Err(if path.exists() {
                DirectoryError::NotADirectory { path }
            } else {
                DirectoryError::Create { path, error }
            });
        }
        let opened = rustix::fs::access(&path, Access::WRITE_OK | Access::EXEC_OK).and_then(|()| {
            openat(CWD, &path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        });
        match opened {
            Ok(handle) => Ok(Self { path, handle: Arc::new(handle) }),
            Err(error) => Err(DirectoryError::Write { path, error: error.into() }),
        }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// The path of the file `name`, whose components are safe. Missing directories are made.
    pub(crate) fn target_path(&self, name: &str) -> Result<TargetPath, FetchError> {
        let path = self.path.join(name);
        let (directories, leaf) = match name.rsplit_once('/') {
            Some((directories, leaf)) => (Some(directories), leaf),
            None => (None, name),
        };
        let mut handle = Arc::clone(&self.handle);
        for part in directories.into_iter().flat_map(|directories| directories.split('/')) {
            handle = enter(&handle, part)
                .map(Arc::new)
                .map_err(|error| FetchError::File { path: path.clone(), error })?;
        }
        Ok(TargetPath { directory: handle, leaf: leaf.into(), path })
    }
}

fn enter(parent: &OwnedFd, part: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(parent, part, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            match mkdirat(parent, part, Mode::from_raw_mode(0o777)) {
                // Another thread may have made it first.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(openat(parent, part, flags, Mode::empty())?)
        }
        opened => Ok(opened?),
    }
}

/// The path of a file that exists or will be made: its open directory and its name there.
#[derive(Clone, Debug)]
pub(crate) struct TargetPath {
    directory: Arc<OwnedFd>,
    leaf: Box<str>,
    /// For messages.
    path: PathBuf,
}

impl TargetPath {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }

    /// The length of the file, if it exists and is a regular file.
    pub(crate) fn existing_bytes(&self) -> Option<u64> {
        let stat = statat(&*self.directory, &*self.leaf, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
            .then(|| u64::try_from(stat.st_size).unwrap_or_default())
    }

    /// True if nothing has the name, not even a link that leads nowhere.
    pub(super) fn is_free(&self) -> bool {
        let named = statat(&*self.directory, &*self.leaf, AtFlags::SYMLINK_NOFOLLOW);
        matches!(named, Err(Errno::NOENT))
    }

    /// Opens the existing file for reading.
    pub(crate) fn read_existing(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(&*self.directory, &*self.leaf, flags, Mode::empty())?.into())
    }

    /// The directory that the file is in.
    pub(super) fn directory(&self) -> &Arc<OwnedFd> {
        &self.directory
    }

    /// The file's name in its directory.
    pub(super) fn leaf(&self) -> &str {
        &self.leaf
    }

    /// Calls fsync on the directory.
    pub(super) fn sync_directory(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&*self.directory)?)
    }

    /// The failure to write the file.
    pub(super) fn failure(&self, error: io::Error) -> FetchError {
        FetchError::File { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_directory_is_made_with_its_parents() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/c");
        assert_eq!(OutputDirectory::prepare(&path).unwrap().path(), path);
        assert!(OutputDirectory::prepare(&path).is_ok(), "a directory that is there will do");
    }

    #[test]
    fn a_path_that_is_no_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = OutputDirectory::prepare(&file).unwrap_err();
        assert!(matches!(error, DirectoryError::NotADirectory { .. }), "{error}");
        let error = OutputDirectory::prepare(file.join("below")).unwrap_err();
        assert!(matches!(error, DirectoryError::Create { .. }), "{error}");
    }

    #[test]
    fn no_planted_link_leads_out() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        symlink(outside.path(), root.path().join("link")).unwrap();
        assert!(directory.target_path("link/x").is_err());
    }
}
