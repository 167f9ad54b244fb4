//! The output directory: held open, so that nothing leads out of it.
//!
//! Every file is reached from the directory's descriptor, a part of its path at a time and never through
//! a symbolic link: whoever can write there can plant one, but not have a download follow it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{error, fmt};

use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat, fstat, linkat, mkdirat,
    openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use super::{FetchError, shown_path};

/// How often a file is opened that has been replaced by another one before it was locked.
const MAX_CLAIM_ATTEMPTS: usize = 100;

/// A directory that exists and can be written into.
#[derive(Clone, Debug)]
pub struct OutputDirectory {
    path: PathBuf,
    handle: Arc<OwnedFd>,
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
                write!(f, "cannot make the output directory {}", shown_path(path))
            }
            Self::NotADirectory { path } => {
                write!(f, "the output directory {} is not a directory", shown_path(path))
            }
            Self::Write { path, .. } => {
                write!(f, "cannot write into the output directory {}", shown_path(path))
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

    /// The place of the file `name`, a path of safe parts, whose directories are made where they are
    /// missing.
    pub(super) fn place(&self, name: &str) -> Result<Place, FetchError> {
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
        Ok(Place { directory: handle, leaf: leaf.into(), path })
    }
}

fn enter(parent: &OwnedFd, part: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(parent, part, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            match mkdirat(parent, part, Mode::from_raw_mode(0o777)) {
                // Another thread was quicker.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(openat(parent, part, flags, Mode::empty())?)
        }
        opened => Ok(opened?),
    }
}

/// Where one file is or will be.
#[derive(Clone, Debug)]
pub(super) struct Place {
    directory: Arc<OwnedFd>,
    leaf: Box<str>,
    /// For people.
    path: PathBuf,
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The length of the regular file that is there.
    pub(super) fn existing_bytes(&self) -> Option<u64> {
        let stat = statat(self.handle(), &*self.leaf, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
            .then(|| u64::try_from(stat.st_size).unwrap_or_default())
    }

    /// Opens what is there for reading.
    pub(super) fn read_existing(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(self.handle(), &*self.leaf, flags, Mode::empty())?.into())
    }

    /// Opens the file beside it whose name ends with `suffix`, if that is a regular file which has no
    /// other name: a link would write, or be written, elsewhere.
    pub(super) fn open(&self, suffix: &str) -> io::Result<File> {
        self.open_or(suffix, OFlags::empty())
    }

    fn open_or(&self, suffix: &str, create: OFlags) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | create;
        let mode = Mode::from_raw_mode(0o666);
        let file = openat(self.handle(), self.beside(suffix), flags, mode)?;
        let stat = fstat(&file)?;
        let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if is_regular && stat.st_nlink <= 1 {
            Ok(file.into())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a link, or no regular file"))
        }
    }

    /// [`Place::open`] for as long as no other process, nor another run of this one, has claimed it:
    /// what two of them wrote would be nobody's file.
    pub(super) fn claim(&self, suffix: &str) -> io::Result<File> {
        self.claim_or(suffix, OFlags::empty())
    }

    fn claim_or(&self, suffix: &str, create: OFlags) -> io::Result<File> {
        let is_busy =
            || io::Error::new(io::ErrorKind::ResourceBusy, "another download is writing it");
        for _ in 0..MAX_CLAIM_ATTEMPTS {
            let file = self.open_or(suffix, create)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(is_busy()),
                // Some file systems know no locks.
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            // Until it was locked, it may have got its final name or have been removed.
            let named = statat(self.handle(), self.beside(suffix), AtFlags::SYMLINK_NOFOLLOW);
            let opened = fstat(&file)?;
            if named
                .is_ok_and(|named| (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino))
            {
                return Ok(file);
            }
        }
        Err(is_busy())
    }

    /// Makes the file beside it anew, and claims it, unless what is there is claimed; says whether
    /// anything was there.
    pub(super) fn begin(&self, suffix: &str) -> Result<(File, bool), FetchError> {
        let create = || self.claim_or(suffix, OFlags::CREATE | OFlags::EXCL);
        let failed = |error| self.failure(suffix, error);
        match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return Ok((created.map_err(failed)?, false)),
        }
        // What is there stays claimed until there is a new one; be it a link, which nobody can claim.
        let older = self.claim(suffix);
        match older {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Err(failed(error)),
            Ok(_) | Err(_) => {
                self.remove(suffix);
                Ok((create().map_err(failed)?, true))
            }
        }
    }

    /// Makes the file beside it anew, whatever has its name now.
    pub(super) fn create(&self, suffix: &str) -> Result<File, FetchError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let name = self.beside(suffix);
        let open = || openat(self.handle(), &name, flags, Mode::from_raw_mode(0o666));
        let created = match open() {
            Err(Errno::EXIST) => {
                unlinkat(self.handle(), &name, AtFlags::empty()).and_then(|()| open())
            }
            created => created,
        };
        created.map(File::from).map_err(|error| self.failure(suffix, error.into()))
    }

    /// Removes the file beside it; that it is not there is as good, and is looked for first: to remove
    /// locks the directory for all who write in it, even where there is nothing to remove.
    pub(super) fn remove(&self, suffix: &str) {
        if statat(self.handle(), self.beside(suffix), AtFlags::SYMLINK_NOFOLLOW).is_err() {
            return;
        }
        match unlinkat(self.handle(), self.beside(suffix), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                log::warn!("cannot remove {}{suffix}: {error}", shown_path(&self.path));
            }
        }
    }

    /// Gives the file beside it that name in full, in the place of what may have it.
    pub(super) fn replace(&self, from: &str, to: &str) -> Result<(), FetchError> {
        renameat(self.handle(), self.beside(from), self.handle(), self.beside(to))
            .map_err(|error| self.failure(to, error.into()))
    }

    /// Moves the file beside this place to another one; `false` where that must be free and is not.
    pub(super) fn move_to(
        &self,
        from: &str,
        target: &Self,
        must_be_free: bool,
    ) -> Result<bool, FetchError> {
        let name = self.beside(from);
        let moved = if must_be_free {
            self.move_to_free(&name, target)
        } else {
            renameat(self.handle(), &name, target.handle(), &*target.leaf)
        };
        match moved {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) if must_be_free => Ok(false),
            Err(error) => Err(target.failure("", error.into())),
        }
    }

    /// Moves a file of this directory to a place that must be free, or else fails with `EXIST`
    /// (renameat2(2), `RENAME_NOREPLACE`). Some file systems do not support that, such as NFS and those in
    /// user space, and some have no hard links either: they get the next best way, which never replaces a
    /// file that was there before.
    fn move_to_free(&self, name: &str, target: &Self) -> rustix::io::Result<()> {
        let (from, to) = (self.handle(), target.handle());
        // One system call that fails, which is not worth remembering for which directory it did.
        match renameat_with(from, name, to, &*target.leaf, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            renamed => return renamed,
        }
        match linkat(from, name, to, &*target.leaf, AtFlags::empty()) {
            Ok(()) => {
                // The file is whole under its name; that it keeps the other one as well is no failure.
                if let Err(error) = unlinkat(from, name, AtFlags::empty()) {
                    log::warn!("cannot remove {name}: {error}");
                }
                return Ok(());
            }
            Err(Errno::EXIST) => return Err(Errno::EXIST),
            // There are no hard links, or not of this file, or they are forbidden (link(2)). If something
            // else is wrong, the next way fails as well, and says so.
            Err(_) => {}
        }
        target.reserve_and_replace((from, name))
    }

    /// Reserves this place with an empty file, which fails with `EXIST` if it is not free, and moves the
    /// other file over it. A program that replaces files could put one there in between, which would be
    /// lost; one that only makes new files cannot. A process that is killed in between leaves the empty file.
    fn reserve_and_replace(&self, (from, name): (BorrowedFd<'_>, &str)) -> rustix::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let leaf = &*self.leaf;
        let reservation = openat(self.handle(), leaf, flags, Mode::from_raw_mode(0o666))?;
        let identity = |stat: &Stat| (stat.st_dev, stat.st_ino);
        let own = fstat(&reservation).map(|stat| identity(&stat));
        // File systems that upload a file when it is closed are to be done with this one.
        drop(reservation);
        renameat(from, name, self.handle(), leaf).inspect_err(|_| {
            let named = statat(self.handle(), leaf, AtFlags::SYMLINK_NOFOLLOW);
            if named.is_ok_and(|named| own == Ok(identity(&named)) && named.st_size == 0) {
                let _ = unlinkat(self.handle(), leaf, AtFlags::empty());
            }
        })
    }

    /// Has the directory's entries written to the disk.
    pub(super) fn sync_directory(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.handle())?)
    }

    /// What went wrong with the file beside it.
    pub(super) fn failure(&self, suffix: &str, error: io::Error) -> FetchError {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        FetchError::File { path: path.into(), error }
    }

    fn handle(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    fn beside(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.leaf)
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
    fn no_planted_link_leads_out() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        symlink(outside.path(), root.path().join("link")).unwrap();
        assert!(directory.place("link/x").is_err());

        let victim = outside.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, root.path().join("a.part")).unwrap();
        fs::hard_link(&victim, root.path().join("b.part")).unwrap();
        for name in ["a", "b"] {
            let place = directory.place(name).unwrap();
            assert!(place.claim(".part").is_err(), "{name}");
            place.begin(".part").unwrap();
            assert_eq!(fs::read(root.path().join(format!("{name}.part"))).unwrap(), b"");
        }
        assert_eq!(fs::read(&victim).unwrap(), b"untouched");
    }

    #[test]
    fn what_is_claimed_is_neither_claimed_nor_begun_again() {
        let root = tempfile::tempdir().unwrap();
        let place = OutputDirectory::prepare(root.path()).unwrap().place("a").unwrap();
        let (first, _) = place.begin(".part").unwrap();
        assert_eq!(place.claim(".part").unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        let error = place.begin(".part").unwrap_err();
        let FetchError::File { error, .. } = error else { panic!("{error}") };
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        drop(first);
        let second = place.claim(".part").unwrap();
        assert!(place.begin(".part").is_err());
        drop(second);
        place.begin(".part").unwrap();
    }

    #[test]
    fn a_place_has_its_directories_and_moves_only_where_it_may() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        let place = directory.place("x/y/z").unwrap();
        place.create(".part").unwrap();
        fs::write(root.path().join("taken"), "older").unwrap();
        let taken = directory.place("taken").unwrap();
        assert!(!place.move_to(".part", &taken, true).unwrap());
        assert_eq!(taken.existing_bytes(), Some(5));
        assert!(place.move_to(".part", &taken, false).unwrap());
        assert_eq!((taken.existing_bytes(), place.existing_bytes()), (Some(0), None));
        assert!(root.path().join("x/y").is_dir());
    }

    #[test]
    fn a_reservation_is_replaced_and_what_is_there_is_not() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        let (part, target) = (directory.place("a").unwrap(), directory.place("b").unwrap());
        fs::write(root.path().join("a.part"), "content").unwrap();
        let failed = target.reserve_and_replace((part.handle(), "gone"));
        assert_eq!((failed, target.existing_bytes()), (Err(Errno::NOENT), None), "it is given up");
        target.reserve_and_replace((part.handle(), "a.part")).unwrap();
        assert_eq!(fs::read(root.path().join("b")).unwrap(), b"content");
        assert_eq!(part.open(".part").unwrap_err().kind(), io::ErrorKind::NotFound);

        fs::write(root.path().join("a.part"), "newer").unwrap();
        symlink("nowhere", root.path().join("dangling")).unwrap();
        for taken in ["b", "dangling"] {
            let taken = directory.place(taken).unwrap();
            let moved = taken.reserve_and_replace((part.handle(), "a.part"));
            assert_eq!(moved, Err(Errno::EXIST));
        }
        assert_eq!(fs::read(root.path().join("b")).unwrap(), b"content");
        assert_eq!(fs::read(root.path().join("a.part")).unwrap(), b"newer");
    }
}
