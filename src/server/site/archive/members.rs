//! Finds the members of an archive, in the order of the listings: a directory, then what is in it.

use std::fs::{File, Metadata};
use std::sync::Arc;

use rustix::io::Errno;

use super::contents::Archive;
use super::error::ArchiveError;
use super::source::Shown;
use crate::printable::Escaped;
use crate::server::site::error::LookupError;
use crate::server::site::listing::directory_id::DirectoryId;

/// A file or a directory, opened.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) file: File,
    pub(super) metadata: Metadata,
}

/// The members of an archive, except the archived directory itself.
#[derive(Debug)]
pub(super) struct Members<'a> {
    archive: &'a Archive,
    /// The directories on the way to the current member.
    levels: Vec<Level>,
    /// The path of the current member beneath the root.
    path: Vec<u8>,
}

/// A directory whose content is being archived.
#[derive(Debug)]
struct Level {
    id: DirectoryId,
    path_bytes: usize,
    shown: Shown,
    /// Of the next name.
    position: usize,
}

impl<'a> Members<'a> {
    pub(super) fn new(archive: &'a Archive) -> Self {
        let path = archive.relative.clone();
        let id = DirectoryId::of(&archive.metadata);
        let shown = Shown::Entries(Arc::clone(&archive.entries));
        let level = Level { id, path_bytes: path.len(), shown, position: 0 };
        Self { archive, levels: vec![level], path }
    }

    /// The path of the current member beneath the root.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The next member. Entries that have gone since their directory was read are left out.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path_bytes);
            let Some(name) = level.shown.name_at(level.position) else {
                self.levels.pop();
                continue;
            };
            level.position += 1;
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name);
            match self.open() {
                Ok(None) | Err(LookupError::NotFound) => {}
                Ok(member) => return Ok(member),
                Err(error) => return Err(ArchiveError::lookup(&self.path, error)),
            }
        }
        Ok(None)
    }

    /// Opens the current member; `None` if it is left out.
    fn open(&mut self) -> Result<Option<Member>, LookupError> {
        let source = &self.archive.source;
        let opened = source.root.open_beneath(&self.path).inspect_err(|error| {
            // Its directory was listed, and a tool that walks the directories would archive it.
            if Errno::from_io_error(error) == Some(Errno::NAMETOOLONG) {
                log::warn!(
                    "left out of an archive, as its path is too long: /{}",
                    Escaped(&self.path)
                );
            }
        });
        let file = File::from(opened?);
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            let id = DirectoryId::of(&metadata);
            // A link that leads to a directory above it would be followed without end.
            if self.is_ancestor(id) {
                return Ok(None);
            }
            let shown = source.shown(&file, &self.path)?;
            self.levels.push(Level { id, path_bytes: self.path.len(), shown, position: 0 });
        } else if !metadata.is_file() {
            return Ok(None);
        }
        Ok(Some(Member { file, metadata }))
    }

    fn is_ancestor(&self, id: DirectoryId) -> bool {
        self.archive.ancestors.contains(&id) || self.levels.iter().any(|level| level.id == id)
    }
}
