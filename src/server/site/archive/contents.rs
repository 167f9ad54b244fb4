//! A directory that is to be sent as an archive.

use std::fs::{File, Metadata};
use std::io;
use std::sync::Arc;

use url::form_urlencoded;

use super::source::ArchiveSource;
use crate::http::TargetPath;
use crate::printable::is_printable;
use crate::server::site::listing::cache::SharedEntries;
use crate::server::site::listing::directory_id::DirectoryId;

/// The name of an archive of the whole site: that of the root says where it is on this machine.
const ROOT_NAME: &[u8] = b"files";

/// Whether a query asks for an archive of a directory: `format=tar`.
#[must_use]
pub(in crate::server::site) fn asks_for_archive(query: &[u8]) -> bool {
    form_urlencoded::parse(query).any(|(key, value)| (&*key, &*value) == ("format", "tar"))
}

/// A directory that is to be sent as an archive.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(super) source: ArchiveSource,
    /// The path of the directory beneath the root.
    pub(super) relative: Vec<u8>,
    pub(super) metadata: Metadata,
    pub(super) entries: Arc<SharedEntries>,
    /// The directories on the way to this one, the root first, and this one.
    pub(super) ancestors: Vec<DirectoryId>,
}

impl Archive {
    /// Reads the entries of a directory that was opened at `path`.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::server::site) fn open(
        source: ArchiveSource,
        directory: &File,
        path: &TargetPath,
    ) -> io::Result<Self> {
        let relative = path.relative.clone();
        let metadata = directory.metadata()?;
        let this = DirectoryId::of(&metadata);
        let ancestors = source.ancestors(&relative).chain([this]).collect();
        let entries = Arc::new(source.entries(directory, &relative)?);
        Ok(Self { source, relative, metadata, entries, ancestors })
    }

    /// A name for the archive as a file.
    #[must_use]
    pub(crate) fn file_name(&self) -> String {
        let name = String::from_utf8_lossy(self.name());
        let printable = name.chars().map(|c| if is_printable(c) { c } else { '_' });
        printable.chain(".tar".chars()).collect()
    }

    /// The path within the archive of what is at `relative` beneath the root: all of it is in one directory.
    pub(super) fn path_within(&self, relative: &[u8]) -> Vec<u8> {
        let mut path = self.name().to_vec();
        let below = &relative[self.relative.len()..];
        if self.relative.is_empty() && !below.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(below);
        path
    }

    /// The name of the directory.
    fn name(&self) -> &[u8] {
        match self.relative.rsplit(|byte| *byte == b'/').next() {
            Some(name) if !name.is_empty() => name,
            _ => ROOT_NAME,
        }
    }
}
