//! A final name to try for a file, and what happens if another file has it.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::renameat;
use rustix::io::Errno;

use super::directory::TargetPath;
use super::no_replace::{Entry, rename_no_replace};
use crate::client::error::FetchError;

/// A final name to try, and the action if it is taken.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) target: TargetPath,
    pub(crate) on_conflict: OnConflict,
    /// Whether to expect a file with the name, which another process may have made or removed meanwhile.
    pub(super) is_likely_taken: bool,
}

/// What happens if another file has the final name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnConflict {
    Replace,
    TryNext,
}

impl Candidate {
    /// Renames a complete file, whose path is `path`, to the name. False if another file has the name and must
    /// be kept.
    pub(super) fn move_here(&self, from: Entry<'_>, path: &Path) -> Result<bool, FetchError> {
        let Self { target, on_conflict, .. } = self;
        let to = Entry { directory: target.directory().as_fd(), name: target.leaf() };
        let moved = match on_conflict {
            OnConflict::TryNext => rename_no_replace(from, to, path),
            OnConflict::Replace => renameat(from.directory, from.name, to.directory, to.name),
        };
        match moved {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) if *on_conflict == OnConflict::TryNext => Ok(false),
            Err(error) => Err(target.failure(error.into())),
        }
    }
}
