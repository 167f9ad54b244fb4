//! Reading a directory: which of its entries are shown, and what is known of them.
//!
//! Shown is what would be served. An entry whose metadata cannot be read, as on a dead mount, is shown
//! without them and hides no other.

use std::fs::File;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Stat, statat};
use rustix::io::Errno;

use super::entries::{Entry, EntryKind, Unsorted};
use super::failures::Failing;
use crate::http::TargetPath;
use crate::server::site::opened::join;
use crate::server::site::root::Root;
use crate::server::site::settings::DotFiles;

/// A directory that is to be read.
#[derive(Clone, Copy, Debug)]
pub(in crate::server::site) struct DirectoryReader<'d> {
    /// Beneath which links are followed.
    pub(in crate::server::site) root: &'d Root,
    pub(in crate::server::site) dot_files: DotFiles,
    pub(in crate::server::site) directory: &'d File,
    /// Names the directory.
    pub(in crate::server::site) path: &'d TargetPath,
}

impl DirectoryReader<'_> {
    /// Reads all entries but those that would not be served: hidden ones, devices and the like, links
    /// that leave the root or lead nowhere, and those that disappear meanwhile. Says as well whose
    /// metadata could not be read.
    ///
    /// # Errors
    /// The directory cannot be read, or the process is short of descriptors or memory.
    pub(super) fn read(&self) -> Result<(Unsorted, Failing), Errno> {
        let (mut entries, mut failing) = (Unsorted::default(), Failing::default());
        for entry in Dir::read_from(self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || self.dot_files.hide(name) {
                continue;
            }
            match self.metadata(name) {
                Ok(stat) => {
                    if let Some(entry) = from_metadata(name, &stat) {
                        entries.push(entry);
                    }
                }
                Err(
                    Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG,
                ) => {}
                Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => return Err(error),
                Err(error) => {
                    if let Some(shown) = without_metadata(&entry) {
                        failing.note(name, error);
                        entries.push(shown);
                    }
                }
            }
        }
        Ok((entries, failing))
    }

    /// The metadata of an entry, or of what it links to.
    fn metadata(&self, name: &[u8]) -> Result<Stat, Errno> {
        let stat = statat(self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(stat);
        }
        self.root.metadata_beneath(&join(&self.path.relative, name))
    }
}

/// `None` for what is neither file nor directory.
fn from_metadata<'n>(name: &'n [u8], stat: &Stat) -> Option<Entry<'n>> {
    let (kind, length) = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => (EntryKind::Directory, None),
        FileType::RegularFile => (EntryKind::File, u64::try_from(stat.st_size).ok()),
        _ => return None,
    };
    let nanoseconds = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    // A file system may hold dates that no calendar has.
    let modified = Timestamp::new(stat.st_mtime, nanoseconds).ok();
    Some(Entry { name, kind, length, modified })
}

/// What the directory itself says of an entry; it counts as a file where that is not enough.
fn without_metadata(entry: &DirEntry) -> Option<Entry<'_>> {
    let kind = match entry.file_type() {
        FileType::Directory => EntryKind::Directory,
        FileType::RegularFile | FileType::Symlink | FileType::Unknown => EntryKind::File,
        _ => return None,
    };
    Some(Entry { name: entry.file_name().to_bytes(), kind, length: None, modified: None })
}
