//! Renaming a file to a name that must be free, on file systems of every kind.

use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, Stat, fstat, linkat, openat, renameat, renameat_with,
    statat, unlinkat,
};
use rustix::io::{Errno, Result};

use crate::client::redact::redacted_path;

/// A name in an open directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'e> {
    pub(super) directory: BorrowedFd<'e>,
    pub(super) name: &'e str,
}

/// Renames `from`, whose path is `path`, to `to`, which must be free (renameat2(2), `RENAME_NOREPLACE`).
///
/// File systems without that flag, such as NFS and those in user space, get a hard link instead, and those
/// without hard links a reservation: see [`reserve_and_replace`]. A file that existed before is never
/// replaced.
///
/// # Errors
/// `EXIST` if `to` is taken.
pub(super) fn rename_no_replace(from: Entry<'_>, to: Entry<'_>, path: &Path) -> Result<()> {
    let flags = RenameFlags::NOREPLACE;
    match renameat_with(from.directory, from.name, to.directory, to.name, flags) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        renamed => return renamed,
    }
    match linkat(from.directory, from.name, to.directory, to.name, AtFlags::empty()) {
        Ok(()) => {
            // The file has its final name. That it keeps the other one too is not a failure.
            if let Err(error) = unlinkat(from.directory, from.name, AtFlags::empty()) {
                log::warn!("cannot remove {}: {error}", redacted_path(path));
            }
            return Ok(());
        }
        Err(Errno::EXIST) => return Err(Errno::EXIST),
        // No hard links, none of this file, or forbidden (link(2)). Other errors recur below.
        Err(_) => {}
    }
    reserve_and_replace(from, to)
}

/// Makes an empty file under the name `to`, which fails with `EXIST` if it is taken, and renames `from` over
/// it. A program that replaces files could put one there in between, which would be lost; one that only
/// makes new files cannot. A process that is killed in between leaves the empty file.
fn reserve_and_replace(from: Entry<'_>, to: Entry<'_>) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let reservation = openat(to.directory, to.name, flags, Mode::from_raw_mode(0o666))?;
    let own = fstat(&reservation);
    // Closed first: some file systems upload a file when it is closed.
    drop(reservation);
    renameat(from.directory, from.name, to.directory, to.name).inspect_err(|_| {
        let named = statat(to.directory, to.name, AtFlags::SYMLINK_NOFOLLOW);
        let is_reservation = |named: &Stat| own.is_ok_and(|own| is_same_file(&own, named));
        if named.is_ok_and(|named| is_reservation(&named) && named.st_size == 0) {
            let _ = unlinkat(to.directory, to.name, AtFlags::empty());
        }
    })
}

pub(super) fn is_same_file(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::client::store::directory::OutputDirectory;

    #[test]
    fn a_reservation_is_replaced_and_an_existing_file_is_not() {
        let root = tempfile::tempdir().unwrap();
        let target = OutputDirectory::prepare(root.path()).unwrap().target_path("b").unwrap();
        let entry = |name| Entry { directory: target.directory().as_fd(), name };
        fs::write(root.path().join("a"), "content").unwrap();
        let failed = reserve_and_replace(entry("gone"), entry("b"));
        let left = target.existing_bytes();
        assert_eq!((failed, left), (Err(Errno::NOENT), None), "the reservation is removed");
        reserve_and_replace(entry("a"), entry("b")).unwrap();
        assert_eq!(fs::read(root.path().join("b")).unwrap(), b"content");
        assert!(!root.path().join("a").exists());

        fs::write(root.path().join("a"), "newer").unwrap();
        symlink("nowhere", root.path().join("dangling")).unwrap();
        for taken in ["b", "dangling"] {
            let moved = reserve_and_replace(entry("a"), entry(taken));
            assert_eq!(moved, Err(Errno::EXIST));
        }
        assert_eq!(fs::read(root.path().join("b")).unwrap(), b"content");
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"newer");
    }
}
