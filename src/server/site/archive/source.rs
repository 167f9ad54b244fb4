//! Where the members of an archive come from: the listings of a site.

use std::fs::File;
use std::io;
use std::sync::Arc;

use rustix::fs::FileType;

use crate::server::site::listing::cache::{ListingCache, SharedEntries};
use crate::server::site::listing::directory_id::DirectoryId;
use crate::server::site::listing::reader::DirectoryReader;
use crate::server::site::opened::join;
use crate::server::site::root::Root;
use crate::server::site::settings::DotFiles;

/// What an archive needs of its site.
#[derive(Debug)]
pub(in crate::server::site) struct ArchiveSource {
    pub(in crate::server::site) root: Arc<Root>,
    pub(in crate::server::site) index: Vec<String>,
    pub(in crate::server::site) dot_files: DotFiles,
    pub(in crate::server::site) listings: Arc<ListingCache>,
}

/// What the site shows of a directory.
#[derive(Debug)]
pub(super) enum Shown {
    /// Its listing.
    Entries(Arc<SharedEntries>),
    /// The index file of this name, and no listing.
    Index(Vec<u8>),
}

impl Shown {
    /// The name at a position; `None` beyond the last.
    pub(super) fn name_at(&self, position: usize) -> Option<&[u8]> {
        match self {
            Self::Entries(entries) => entries.name_at(position),
            Self::Index(name) => (position == 0).then_some(name),
        }
    }
}

impl ArchiveSource {
    /// What the site shows of a directory that was opened at `relative`.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn shown(&self, directory: &File, relative: &[u8]) -> io::Result<Shown> {
        let is_file = |name: &&String| {
            let metadata = self.root.metadata_beneath(&join(relative, name.as_bytes()));
            metadata.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
        };
        match self.index.iter().find(is_file) {
            Some(name) => Ok(Shown::Index(name.clone().into_bytes())),
            None => Ok(Shown::Entries(Arc::new(self.entries(directory, relative)?))),
        }
    }

    /// The entries of a directory that was opened at `relative`, as its listing has them.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn entries(&self, directory: &File, relative: &[u8]) -> io::Result<SharedEntries> {
        let (root, dot_files) = (&*self.root, self.dot_files);
        self.listings.read(&DirectoryReader { root, dot_files, directory, relative })
    }

    /// The identities of the directories above `relative`, the root among them.
    pub(super) fn ancestors(&self, relative: &[u8]) -> impl Iterator<Item = DirectoryId> {
        let slashes = relative.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = slashes.map(|(at, _)| at).chain((!relative.is_empty()).then_some(0));
        ends.filter_map(|end| {
            let stat = self.root.metadata_beneath(&relative[..end]).ok()?;
            Some(DirectoryId::of_stat(&stat))
        })
    }
}
