//! The identity of a directory.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// Identifies a directory by device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DirectoryId {
    device: u64,
    inode: u64,
}

impl DirectoryId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    #[cfg(test)]
    pub(super) fn of_test(inode: u64) -> Self {
        Self { device: 0, inode }
    }
}
