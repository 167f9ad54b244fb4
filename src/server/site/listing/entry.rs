//! An entry of a directory.

use jiff::Timestamp;

use crate::http::encode_segment;

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::site) struct Entry<'e> {
    /// The bytes of the name, which need not be UTF-8.
    pub(super) name: &'e [u8],
    pub(super) kind: EntryKind,
    /// In bytes; `None` for directories, and if it is unknown.
    pub(super) length: Option<u64>,
    /// When the content last changed, to the microsecond; `None` if it is unknown.
    pub(super) modified: Option<Timestamp>,
}

impl Entry<'_> {
    /// A reference relative to the directory: the encoded name, with `/` for a directory.
    #[must_use]
    pub(in crate::server::site) fn reference(&self) -> String {
        let slash = if self.kind == EntryKind::Directory { "/" } else { "" };
        format!("{}{slash}", encode_segment(self.name))
    }
}

/// The kind of an entry; of a symbolic link, that of its target. Directories are listed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::server::site) enum EntryKind {
    Directory,
    File,
}
