//! Where a file is kept until it is whole: the part and the notes beside the place that it is for.
//!
//! A part is locked while it is written. Only files of the program's user, regular and with one name, are
//! ever opened here; where there is anything else when a place is chosen, it is left alone, and the next
//! name is taken. What others put there later is not opened either, and at most makes the fetch fail, or is
//! replaced by the notes.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, Stat, fstat, linkat, openat, renameat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::directory::TargetPath;
use crate::client::error::FetchError;
use crate::client::plan::part_name::{NEW_NOTES_SUFFIX, NOTES_SUFFIX, PART_SUFFIX, stem};
use crate::client::redact::redacted_path;

/// How many names are tried until files of others have none of them.
const MAX_NAMES: usize = 100;

/// How often a file is opened that has been replaced by another one before it was locked.
const MAX_CLAIM_ATTEMPTS: usize = 100;

/// The names of a part and of its notes, in one directory.
#[derive(Clone, Debug)]
pub(crate) struct PartPaths {
    directory: Arc<OwnedFd>,
    stem: Box<str>,
    /// For people, up to the suffix.
    path: PathBuf,
    /// Whose the files are that the program makes there.
    owner: u32,
}

/// The files that a file has while it is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemporaryFile {
    Part,
    Notes,
    /// Those that are about to replace the notes.
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

/// Who owns what has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Nothing has the name.
    None,
    User,
    Other,
    /// A link, a directory or a device, whoever owns it.
    NoPlainFile,
}

/// What a name that is taken means to a file that is to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnConflict {
    Replace,
    TryNext,
}

impl PartPaths {
    /// The first place for the part of the file `target` that no file of others is in.
    ///
    /// # Errors
    /// Files of others have all the names that are tried.
    pub(crate) fn choose(target: &TargetPath) -> Result<Self, FetchError> {
        Self::choose_beside(target).map_err(|error| target.failure(error))
    }

    fn choose_beside(target: &TargetPath) -> io::Result<Self> {
        let mut place = Self {
            directory: Arc::clone(target.directory()),
            stem: target.leaf().into(),
            path: target.path().into(),
            owner: geteuid().as_raw(),
        };
        let mut is_owner_known = false;
        for number in 0..MAX_NAMES {
            place.stem = stem(target.leaf(), number).into();
            place.path.set_file_name(&*place.stem);
            let mut owners = place.owners();
            if owners.contains(&Owner::Other) && !is_owner_known {
                place.owner = place.owner_of_new_files()?;
                is_owner_known = true;
                owners = place.owners();
            }
            if owners.iter().all(|owner| matches!(owner, Owner::None | Owner::User)) {
                return Ok(place);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "files of others have all the names for its part",
        ))
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

    /// Whose a file is that is made in the directory: some file systems have other owners than the user
    /// who made the file (CIFS, NFS for root), or one for all files (FAT).
    fn owner_of_new_files(&self) -> io::Result<u32> {
        let name = format!("{}.{}", self.stem, std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let probe = openat(self.handle(), &name, flags, Mode::from_raw_mode(0o600))?;
        let stat = fstat(&probe);
        unlinkat(self.handle(), &name, AtFlags::empty())?;
        Ok(stat?.st_uid)
    }

    /// Opens one of the files, unless it is not the user's own.
    pub(super) fn open(&self, which: TemporaryFile) -> io::Result<File> {
        Ok(self.open_or(which, OFlags::empty())?.0)
    }

    fn open_or(&self, which: TemporaryFile, create: OFlags) -> io::Result<(File, Stat)> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | create;
        let mode = Mode::from_raw_mode(0o666);
        let file = openat(self.handle(), self.name(which), flags, mode)?;
        let stat = fstat(&file)?;
        // A file that was just made is the user's own, whatever owner the file system says.
        let is_own = is_plain(&stat) && stat.st_uid == self.owner;
        if is_own || create.contains(OFlags::EXCL) {
            Ok((file.into(), stat))
        } else {
            let reason = "it is a link, no regular file, or of another owner";
            Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
        }
    }

    /// Opens the part for as long as no other process, nor another run of this one, has claimed it: what
    /// two of them wrote would be nobody's file.
    pub(super) fn claim(&self) -> io::Result<File> {
        self.claim_or(OFlags::empty())
    }

    fn claim_or(&self, create: OFlags) -> io::Result<File> {
        let is_busy =
            || io::Error::new(io::ErrorKind::ResourceBusy, "another download is writing it");
        for _ in 0..MAX_CLAIM_ATTEMPTS {
            let (file, opened) = self.open_or(TemporaryFile::Part, create)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(is_busy()),
                // Some file systems know no locks.
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            // Until it was locked, it may have got its final name or have been removed.
            let name = self.name(TemporaryFile::Part);
            let named = statat(self.handle(), name, AtFlags::SYMLINK_NOFOLLOW);
            if named.is_ok_and(|named| is_same(&named, &opened)) {
                return Ok(file);
            }
        }
        Err(is_busy())
    }

    /// Makes the part anew, and claims it, unless what is there is claimed. Notes on an older one go
    /// before that does: they must never stand beside another part.
    pub(crate) fn begin(&self) -> Result<File, FetchError> {
        let create = || self.claim_or(OFlags::CREATE | OFlags::EXCL);
        let failed = |error| self.failure(TemporaryFile::Part, error);
        match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map_err(failed),
        }
        // What is there stays claimed until there is a new one; be it a file that cannot be opened.
        let older = self.claim();
        if let Err(error) = &older
            && matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::InvalidInput)
        {
            return older.map_err(failed);
        }
        self.remove_all();
        create().map_err(failed)
    }

    /// Makes new notes, in the place of those that another process did not finish.
    pub(super) fn create_new_notes(&self) -> Result<File, FetchError> {
        let create = || self.open_or(TemporaryFile::NewNotes, OFlags::CREATE | OFlags::EXCL);
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

    /// Puts the new notes in the place of older ones at one stroke.
    pub(super) fn replace_notes(&self) -> Result<(), FetchError> {
        let (from, to) = (self.name(TemporaryFile::NewNotes), self.name(TemporaryFile::Notes));
        renameat(self.handle(), from, self.handle(), to)
            .map_err(|error| self.failure(TemporaryFile::Notes, error.into()))
    }

    /// Removes the part, and before it what was noted of it.
    pub(crate) fn remove_all(&self) {
        self.remove_notes();
        self.remove(TemporaryFile::Part);
    }

    /// Removes the notes, and those that were about to replace them when a process ended.
    pub(super) fn remove_notes(&self) {
        self.remove(TemporaryFile::Notes);
        self.remove(TemporaryFile::NewNotes);
    }

    /// Removes a file. That it is not there is as good, and is looked for first: to remove locks the
    /// directory for all who write in it, even where there is nothing to remove.
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

    /// Gives the part its final name; `false` where that must be free and is not.
    pub(super) fn move_to(
        &self,
        target: &TargetPath,
        occupied: OnConflict,
    ) -> Result<bool, FetchError> {
        let name = self.name(TemporaryFile::Part);
        let (directory, leaf) = (target.directory().as_fd(), target.leaf());
        let moved = match occupied {
            OnConflict::TryNext => self.move_to_free(&name, (directory, leaf)),
            OnConflict::Replace => renameat(self.handle(), &name, directory, leaf),
        };
        match moved {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) if occupied == OnConflict::TryNext => Ok(false),
            Err(error) => Err(target.failure(error.into())),
        }
    }

    /// Moves the part to a name that must be free, or else fails with `EXIST` (renameat2(2),
    /// `RENAME_NOREPLACE`). Some file systems do not support that, such as NFS and those in user space, and
    /// some have no hard links either: they get the next best way, which never replaces a file that was
    /// there before.
    fn move_to_free(&self, name: &str, target: (BorrowedFd<'_>, &str)) -> rustix::io::Result<()> {
        let (from, (to, leaf)) = (self.handle(), target);
        // One system call that fails, which is not worth remembering for which directory it did.
        match renameat_with(from, name, to, leaf, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            renamed => return renamed,
        }
        match linkat(from, name, to, leaf, AtFlags::empty()) {
            Ok(()) => {
                // The file is whole under its name; that it keeps the other one as well is no failure.
                if let Err(error) = unlinkat(from, name, AtFlags::empty()) {
                    log::warn!(
                        "cannot remove {}: {error}",
                        redacted_path(&self.path_of(TemporaryFile::Part))
                    );
                }
                return Ok(());
            }
            Err(Errno::EXIST) => return Err(Errno::EXIST),
            // There are no hard links, or not of this file, or they are forbidden (link(2)). If something
            // else is wrong, the next way fails as well, and says so.
            Err(_) => {}
        }
        reserve_and_replace((from, name), target)
    }

    /// What went wrong with one of the files.
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

/// A regular file that has no other name: a link would write, or be written, elsewhere.
fn is_plain(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink <= 1
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Reserves the target with an empty file, which fails with `EXIST` if it is not free, and moves the
/// other file over it. A program that replaces files could put one there in between, which would be
/// lost; one that only makes new files cannot. A process that is killed in between leaves the empty file.
fn reserve_and_replace(
    (from, name): (BorrowedFd<'_>, &str),
    (to, leaf): (BorrowedFd<'_>, &str),
) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let reservation = openat(to, leaf, flags, Mode::from_raw_mode(0o666))?;
    let own = fstat(&reservation);
    // File systems that upload a file when it is closed are to be done with this one.
    drop(reservation);
    renameat(from, name, to, leaf).inspect_err(|_| {
        let named = statat(to, leaf, AtFlags::SYMLINK_NOFOLLOW);
        let is_reservation = |named: &Stat| own.is_ok_and(|own| is_same(&own, named));
        if named.is_ok_and(|named| is_reservation(&named) && named.st_size == 0) {
            let _ = unlinkat(to, leaf, AtFlags::empty());
        }
    })
}

#[cfg(test)]
mod tests;
