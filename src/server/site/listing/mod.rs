//! The listing of a directory: its entries, read beneath the root, in the order that was asked for.
//!
//! Owns which entries are shown: those that would be served. How the listing looks as a page, as JSON
//! or as plain lines is written in the modules of those names.

mod json;
mod order;
mod page;

use std::fs::File;
use std::io;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, Stat, fstat, statat};

pub use order::{Direction, Order, SortBy};

use super::{Absence, DotFiles, Root, join};
use crate::http::negotiation::MediaType;
use crate::http::{TargetPath, encode_segment};

/// What a directory holds, as far as it is served.
#[derive(Debug)]
pub struct Listing {
    /// The directory's decoded segments, from the root downwards.
    segments: Vec<Vec<u8>>,
    order: Order,
    entries: Vec<Entry>,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name's own bytes, which need not be UTF-8.
    pub name: Vec<u8>,
    pub kind: EntryKind,
    /// When its content was last changed.
    pub modified: Timestamp,
}

/// What an entry is, a symbolic link being what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Directory,
    File { length: u64 },
}

impl Listing {
    /// The forms of a listing, the first for whoever does not say what it accepts.
    pub const FORMS: [MediaType; 3] = [MediaType::Html, MediaType::Json, MediaType::Plain];

    /// Reads the opened `directory`, which `path` names. Entries that would not be served are left
    /// out: hidden ones, devices and the like, links that leave the root or lead nowhere.
    ///
    /// # Errors
    /// The system fails while reading; entries that disappear meanwhile are none.
    pub(super) fn read(
        root: &Root,
        dot_files: DotFiles,
        directory: &File,
        path: &TargetPath,
    ) -> io::Result<Self> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || dot_files.hide(name) {
                continue;
            }
            match look_at(root, directory, path, name) {
                Ok(stat) => entries.extend(Entry::new(name, &stat)),
                Err(error) => {
                    if let Absence::Failed(error) = error.into() {
                        return Err(error);
                    }
                }
            }
        }
        let order = Order::from_query(path.query.as_deref().unwrap_or_default());
        order.sort(&mut entries);
        Ok(Self { segments: path.segments().map(<[u8]>::to_vec).collect(), order, entries })
    }

    /// The entries, directories first, in the order that the query asked for.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The listing in one of its forms.
    #[must_use]
    pub fn write(&self, form: MediaType) -> String {
        match form {
            MediaType::Html => page::write(self),
            MediaType::Json => json::write(self),
            MediaType::Plain => self.entries.iter().map(|entry| entry.reference() + "\n").collect(),
        }
    }
}

/// The metadata of an entry, or of what it links to.
fn look_at(root: &Root, directory: &File, path: &TargetPath, name: &[u8]) -> io::Result<Stat> {
    let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(stat);
    }
    Ok(fstat(root.open_beneath(&join(&path.relative, name))?)?)
}

impl Entry {
    /// `None` for what is neither file nor directory.
    fn new(name: &[u8], stat: &Stat) -> Option<Self> {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => EntryKind::Directory,
            FileType::RegularFile => {
                EntryKind::File { length: u64::try_from(stat.st_size).unwrap_or(0) }
            }
            _ => return None,
        };
        let nanoseconds = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
        // A file system may hold dates that no calendar has.
        let modified = Timestamp::new(stat.st_mtime, nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH);
        Some(Self { name: name.to_vec(), kind, modified })
    }

    /// The entry as a reference relative to its directory: its encoded name, a directory's with `/`.
    #[must_use]
    pub fn reference(&self) -> String {
        let slash = if self.kind == EntryKind::Directory { "/" } else { "" };
        format!("{}{slash}", encode_segment(&self.name))
    }
}

#[cfg(test)]
mod tests;
