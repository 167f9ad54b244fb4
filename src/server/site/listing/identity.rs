//! What tells one directory from another.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// Which directory it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    #[cfg(test)]
    pub(super) fn of_test(inode: u64) -> Self {
        Self { device: 0, inode }
    }
}
