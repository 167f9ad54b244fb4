//! Reads the entries of a directory that would be served, with their metadata.
//!
//! An entry with unreadable metadata, as on a dead mount, is listed without them.

use std::fs::File;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Stat, statat};
use rustix::io::Errno;

use super::builder::UnsortedEntries;
use super::entry::{Entry, EntryKind};
use super::failures::FailedEntries;
use crate::server::site::opened::join;
use crate::server::site::root::Root;
use crate::server::site::settings::DotFiles;

/// The result of reading a directory.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) entries: UnsortedEntries,
    /// The entries with unreadable metadata.
    pub(super) failed: FailedEntries,
}

/// Reads one directory.
#[derive(Clone, Copy, Debug)]
pub(in crate::server::site) struct DirectoryReader<'d> {
    /// Links are followed beneath it.
    pub(in crate::server::site) root: &'d Root,
    pub(in crate::server::site) dot_files: DotFiles,
    pub(in crate::server::site) directory: &'d File,
    /// The path of the directory beneath the root.
    pub(in crate::server::site) relative: &'d [u8],
}

impl DirectoryReader<'_> {
    /// Reads all entries except hidden ones, devices and the like, links that leave the root or are broken,
    /// and entries that are removed meanwhile.
    ///
    /// # Errors
    /// The directory cannot be read, or the process lacks descriptors or memory.
    pub(super) fn read(&self) -> Result<Reading, Errno> {
        let mut reading = Reading::default();
        for entry in Dir::read_from(self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || self.dot_files.hide(name) {
                continue;
            }
            match self.metadata(name) {
                Ok(stat) => {
                    if let Some(entry) = from_metadata(name, &stat) {
                        reading.entries.push(entry);
                    }
                }
                Err(
                    Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG,
                ) => {}
                Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => return Err(error),
                Err(error) => {
                    if let Some(listed) = without_metadata(&entry) {
                        reading.failed.add(name, error);
                        reading.entries.push(listed);
                    }
                }
            }
        }
        Ok(reading)
    }

    /// The metadata of an entry, or of the target of a link.
    fn metadata(&self, name: &[u8]) -> Result<Stat, Errno> {
        let stat = statat(self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(stat);
        }
        self.root.metadata_beneath(&join(self.relative, name))
    }
}

/// `None` if the entry is neither a file nor a directory.
fn from_metadata<'n>(name: &'n [u8], stat: &Stat) -> Option<Entry<'n>> {
    let (kind, length) = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => (EntryKind::Directory, None),
        FileType::RegularFile => (EntryKind::File, u64::try_from(stat.st_size).ok()),
        _ => return None,
    };
    let nanoseconds = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    // A file system may hold times beyond the calendar's range.
    let modified = Timestamp::new(stat.st_mtime, nanoseconds).ok();
    Some(Entry { name, kind, length, modified })
}

/// The entry with the type from the directory; a file if that is unknown.
fn without_metadata(entry: &DirEntry) -> Option<Entry<'_>> {
    let kind = match entry.file_type() {
        FileType::Directory => EntryKind::Directory,
        FileType::RegularFile | FileType::Symlink | FileType::Unknown => EntryKind::File,
        _ => return None,
    };
    Some(Entry { name: entry.file_name().to_bytes(), kind, length: None, modified: None })
}
