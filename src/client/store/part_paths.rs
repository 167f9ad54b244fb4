//! The temporary files of an incomplete file: the part and its notes, beside the final name.
//!
//! A part is locked while it is written. Only regular files of the program's user with a single link are
//! opened here. If other files have the names when they are chosen, the next names are taken; a file
//! that another program puts there later is not opened. At most it makes the fetch fail, or the notes
//! replace it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::candidate::Candidate;
use super::directory::TargetPath;
use super::locked_file::LockedFile;
use super::no_replace::{Entry, is_same_file};
use crate::client::error::FetchError;
use crate::client::plan::part_name::{NEW_NOTES_SUFFIX, NOTES_SUFFIX, PART_SUFFIX, stem};
use crate::client::redact::redacted_path;

/// How many names are tried while other files have them.
const MAX_NAMES: usize = 100;

/// How often a part is opened again that was replaced before it was locked.
const MAX_LOCK_ATTEMPTS: usize = 100;

/// The names of a part and of its notes in their directory.
#[derive(Clone, Debug)]
pub(crate) struct PartPaths {
    directory: Arc<OwnedFd>,
    stem: Box<str>,
    /// For messages; without the suffix.
    path: PathBuf,
    /// The owner of the files that the program makes there.
    owner: u32,
}

/// The files that a file has until it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemporaryFile {
    Part,
    Notes,
    /// The notes that are about to replace the older ones.
    NewNotes,
}

impl TemporaryFile {
    const ALL: [Self; 3] = [Self::Part, Self::Notes, Self::NewNotes];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Part => PART_SUFFIX,
            Self::Notes => NOTES_SUFFIX,
            Self::NewNotes => NEW_NOTES_SUFFIX,
        }
    }
}

/// The owner of the file that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// No file has the name.
    None,
    User,
    Other,
    /// A link, a directory or a device of any owner.
    NoPlainFile,
}

impl PartPaths {
    /// The first names for the part of `target` that are free, or have files of the user.
    ///
    /// # Errors
    /// If other files have all the names that are tried.
    pub(crate) fn choose(target: &TargetPath) -> Result<Self, FetchError> {
        Self::choose_beside(target).map_err(|error| target.failure(error))
    }

    fn choose_beside(target: &TargetPath) -> io::Result<Self> {
        let mut paths = Self {
            directory: Arc::clone(target.directory()),
            stem: target.leaf().into(),
            path: target.path().into(),
            owner: geteuid().as_raw(),
        };
        let mut is_owner_known = false;
        for number in 0..MAX_NAMES {
            paths.stem = stem(target.leaf(), number).into();
            paths.path.set_file_name(&*paths.stem);
            let mut owners = paths.owners();
            if owners.contains(&Owner::Other) && !is_owner_known {
                paths.owner = paths.owner_of_new_files()?;
                is_owner_known = true;
                owners = paths.owners();
            }
            if owners.iter().all(|owner| matches!(owner, Owner::None | Owner::User)) {
                return Ok(paths);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "other files have all the names for its part",
        ))
    }

    /// True if there are none of the files.
    pub(super) fn are_free(&self) -> bool {
        self.owners() == [Owner::None; 3]
    }

    fn owners(&self) -> [Owner; 3] {
        TemporaryFile::ALL.map(|which| {
            match statat(self.handle(), self.name(which), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if !is_plain(&stat) => Owner::NoPlainFile,
                Ok(stat) if stat.st_uid == self.owner => Owner::User,
                Ok(_) => Owner::Other,
                Err(_) => Owner::None,
            }
        })
    }

    /// The owner that the file system gives to new files: not always the user who makes them (CIFS, NFS for
    /// root, FAT).
    fn owner_of_new_files(&self) -> io::Result<u32> {
        let name = format!("{}.{}", self.stem, std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let probe = openat(self.handle(), &name, flags, Mode::from_raw_mode(0o600))?;
        let stat = fstat(&probe);
        unlinkat(self.handle(), &name, AtFlags::empty())?;
        Ok(stat?.st_uid)
    }

    /// Opens one of the files.
    ///
    /// # Errors
    /// If it does not exist, is not a regular file with a single link, or has another owner.
    pub(super) fn open(&self, which: TemporaryFile) -> io::Result<File> {
        Ok(self.open_with(which, OFlags::empty())?.0)
    }

    fn open_with(&self, which: TemporaryFile, create: OFlags) -> io::Result<(File, Stat)> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | create;
        let mode = Mode::from_raw_mode(0o666);
        let file = openat(self.handle(), self.name(which), flags, mode)?;
        let stat = fstat(&file)?;
        // A file that was just made is the user's, whatever owner the file system reports.
        let is_own = is_plain(&stat) && stat.st_uid == self.owner;
        if is_own || create.contains(OFlags::EXCL) {
            Ok((file.into(), stat))
        } else {
            let reason = "it is a link, not a regular file, or has another owner";
            Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
        }
    }

    /// Opens and locks the part, so that no other process or run writes it.
    ///
    /// # Errors
    /// `ResourceBusy` if it is locked already; otherwise as [`Self::open`].
    pub(super) fn open_locked(&self) -> io::Result<LockedFile> {
        self.open_locked_with(OFlags::empty())
    }

    fn open_locked_with(&self, create: OFlags) -> io::Result<LockedFile> {
        let is_busy =
            || io::Error::new(io::ErrorKind::ResourceBusy, "another download is writing it");
        for _ in 0..MAX_LOCK_ATTEMPTS {
            let (file, opened) = self.open_with(TemporaryFile::Part, create)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(is_busy()),
                // Some file systems have no locks.
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            let file = LockedFile::new(file);
            // It may have been renamed or removed before it was locked.
            let name = self.name(TemporaryFile::Part);
            let named = statat(self.handle(), name, AtFlags::SYMLINK_NOFOLLOW);
            if named.is_ok_and(|named| is_same_file(&named, &opened)) {
                return Ok(file);
            }
        }
        Err(is_busy())
    }

    /// Makes a new part and locks it. An older one is removed unless it is locked, and its notes before it,
    /// so that they are never beside another part.
    pub(crate) fn create_part(&self) -> Result<LockedFile, FetchError> {
        let create = || self.open_locked_with(OFlags::CREATE | OFlags::EXCL);
        let failed = |error| self.failure(TemporaryFile::Part, error);
        match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map_err(failed),
        }
        // The older one stays locked until there is a new one. One that cannot be opened is replaced too.
        let older = self.open_locked();
        if let Err(error) = &older
            && matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::InvalidInput)
        {
            return older.map_err(failed);
        }
        self.remove_all();
        create().map_err(failed)
    }

    /// Makes the file of new notes. One that another process left is replaced.
    pub(super) fn create_new_notes(&self) -> Result<File, FetchError> {
        let create = || self.open_with(TemporaryFile::NewNotes, OFlags::CREATE | OFlags::EXCL);
        let created = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.remove(TemporaryFile::NewNotes);
                create()
            }
            created => created,
        };
        let (file, _) = created.map_err(|error| self.failure(TemporaryFile::NewNotes, error))?;
        Ok(file)
    }

    /// Renames the new notes, which replaces the older ones atomically.
    pub(super) fn replace_notes(&self) -> Result<(), FetchError> {
        let (from, to) = (self.name(TemporaryFile::NewNotes), self.name(TemporaryFile::Notes));
        renameat(self.handle(), from, self.handle(), to)
            .map_err(|error| self.failure(TemporaryFile::Notes, error.into()))
    }

    /// Removes the notes and then the part.
    pub(crate) fn remove_all(&self) {
        self.remove_notes();
        self.remove(TemporaryFile::Part);
    }

    /// Removes the notes, and those that a process left before they replaced them.
    pub(super) fn remove_notes(&self) {
        self.remove(TemporaryFile::Notes);
        self.remove(TemporaryFile::NewNotes);
    }

    /// Removes a file if it exists. That is looked up first: unlinkat locks the directory for all its
    /// writers, even if there is nothing to remove.
    pub(super) fn remove(&self, which: TemporaryFile) {
        let name = self.name(which);
        match statat(self.handle(), &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_plain(&stat) => {}
            Ok(_) | Err(_) => return,
        }
        match unlinkat(self.handle(), &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                log::warn!("cannot remove {}: {error}", redacted_path(&self.path_of(which)));
            }
        }
    }

    /// Renames the part to its final name. False if another file has the name and must be kept.
    pub(super) fn move_to(&self, candidate: &Candidate) -> Result<bool, FetchError> {
        let name = self.name(TemporaryFile::Part);
        let part = Entry { directory: self.handle(), name: &name };
        candidate.move_here(part, &self.path_of(TemporaryFile::Part))
    }

    /// The failure to write one of the files.
    pub(crate) fn failure(&self, which: TemporaryFile, error: io::Error) -> FetchError {
        FetchError::File { path: self.path_of(which), error }
    }

    fn handle(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    fn name(&self, which: TemporaryFile) -> String {
        format!("{}{}", self.stem, which.suffix())
    }

    pub(crate) fn path_of(&self, which: TemporaryFile) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(which.suffix());
        path.into()
    }
}

/// True for a regular file with a single link. A link could make the download write elsewhere.
pub(super) fn is_plain(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink <= 1
}

#[cfg(test)]
mod tests;
