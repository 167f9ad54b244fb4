//! Files on their way: the output directory, and partial files that get their name when complete.
//!
//! Content is written to `NAME.part` beside its place and renamed when all of it is there: under the
//! final name there is the whole file or none, and an older file is replaced at one stroke. A partial
//! file that is given up is removed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::{error, fmt};

use rustix::fs::Access;

use super::FetchError;

/// What the name of a file ends with that is not complete.
pub const PART_SUFFIX: &str = ".part";

/// Pieces up to this size are gathered before they are written, so that small chunks do not cost a
/// system call each; larger ones go to the file straight from the buffer they were read into.
const GATHER_BYTES: usize = 16 * 1024;

/// A directory that exists and can be written into.
#[derive(Clone, Debug)]
pub struct OutputDirectory {
    path: PathBuf,
}

/// Why a directory cannot take files.
#[derive(Debug)]
pub enum DirectoryError {
    /// It is not there and cannot be made.
    Create { path: PathBuf, error: io::Error },
    /// Something else has its name.
    NotADirectory { path: PathBuf },
    /// No file can be made in it.
    Write { path: PathBuf, error: io::Error },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { path, .. } => {
                write!(f, "cannot make the output directory {}", path.display())
            }
            Self::NotADirectory { path } => {
                write!(f, "the output directory {} is not a directory", path.display())
            }
            Self::Write { path, .. } => {
                write!(f, "cannot write into the output directory {}", path.display())
            }
        }
    }
}

impl error::Error for DirectoryError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Create { error, .. } | Self::Write { error, .. } => Some(error),
            Self::NotADirectory { .. } => None,
        }
    }
}

impl OutputDirectory {
    /// Makes the directory, with its parents, where it is not there yet.
    ///
    /// # Errors
    /// It cannot be made, or files cannot be made in it.
    pub fn prepare(path: impl Into<PathBuf>) -> Result<Self, DirectoryError> {
        let path = path.into();
        if let Err(error) = fs::create_dir_all(&path) {
            return Err(if path.exists() {
                DirectoryError::NotADirectory { path }
            } else {
                DirectoryError::Create { path, error }
            });
        }
        match rustix::fs::access(&path, Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => Ok(Self { path }),
            Err(error) => Err(DirectoryError::Write { path, error: error.into() }),
        }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that is not complete; dropped, it is removed.
#[derive(Debug)]
pub(super) struct PartFile {
    file: BufWriter<File>,
    part: PathBuf,
    path: PathBuf,
    bytes: u64,
    completed: bool,
}

impl PartFile {
    /// Begins the file `name`, which is a safe one, without touching what may have that name now.
    pub(super) fn create(directory: &OutputDirectory, name: &str) -> Result<Self, FetchError> {
        let path = directory.path.join(name);
        let part = directory.path.join(format!("{name}{PART_SUFFIX}"));
        match File::create(&part) {
            Ok(file) => {
                let file = BufWriter::with_capacity(GATHER_BYTES, file);
                Ok(Self { file, part, path, bytes: 0, completed: false })
            }
            Err(error) => Err(FetchError::File { path: part, error }),
        }
    }

    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), FetchError> {
        self.bytes += piece.len() as u64;
        self.file
            .write_all(piece)
            .map_err(|error| FetchError::File { path: self.part.clone(), error })
    }

    /// Gives the file its name, and says what it is and how long the content.
    pub(super) fn complete(mut self) -> Result<(PathBuf, u64), FetchError> {
        self.file.flush().map_err(|error| FetchError::File { path: self.part.clone(), error })?;
        fs::rename(&self.part, &self.path)
            .map_err(|error| FetchError::File { path: self.path.clone(), error })?;
        self.completed = true;
        Ok((std::mem::take(&mut self.path), self.bytes))
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.completed
            && let Err(error) = fs::remove_file(&self.part)
        {
            log::warn!("cannot remove {}: {error}", self.part.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_directory_is_made_with_its_parents() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/c");
        assert_eq!(OutputDirectory::prepare(&path).unwrap().path(), path);
        assert!(OutputDirectory::prepare(&path).is_ok(), "a directory that is there will do");
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = OutputDirectory::prepare(&file).unwrap_err();
        assert!(matches!(error, DirectoryError::NotADirectory { .. }), "{error}");
        let error = OutputDirectory::prepare(file.join("below")).unwrap_err();
        assert!(matches!(error, DirectoryError::Create { .. }), "{error}");
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        fs::write(root.path().join("a"), "an older and longer file").unwrap();
        let large = vec![b'x'; 2 * GATHER_BYTES];
        let mut part = PartFile::create(&directory, "a").unwrap();
        for piece in [&b"one"[..], b"", &large, b"two"] {
            part.write(piece).unwrap();
        }
        assert_eq!(names_in(root.path()), ["a", "a.part"]);
        let (path, bytes) = part.complete().unwrap();
        let content = [b"one", &large[..], b"two"].concat();
        assert_eq!((path, bytes), (root.path().join("a"), content.len() as u64));
        assert_eq!(names_in(root.path()), ["a"]);
        assert!(fs::read(root.path().join("a")).unwrap() == content);
    }

    #[test]
    fn a_file_given_up_leaves_nothing_and_an_older_one_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        fs::write(root.path().join("a"), "older").unwrap();
        for name in ["a", "b"] {
            PartFile::create(&directory, name).unwrap().write(b"new").unwrap();
        }
        assert_eq!(names_in(root.path()), ["a"]);
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"older");
    }

    #[test]
    fn a_directory_in_the_place_of_a_file_is_said() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        let part = PartFile::create(&directory, "a").unwrap();
        let Err(FetchError::File { path, .. }) = part.complete() else { panic!() };
        assert_eq!(path, root.path().join("a"));
        assert_eq!(names_in(root.path()), ["a"]);
    }
}
