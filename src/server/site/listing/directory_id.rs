//! The identity of a directory.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::Stat;

/// Identifies a directory by device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::server::site) struct DirectoryId {
    device: u64,
    inode: u64,
}

impl DirectoryId {
    pub(in crate::server::site) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    pub(in crate::server::site) fn of_stat(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }

    #[cfg(test)]
    pub(super) fn of_test(inode: u64) -> Self {
        Self { device: 0, inode }
    }
}
