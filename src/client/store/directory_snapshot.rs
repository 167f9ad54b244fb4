//! What is in the output directory when a run begins, known from one look at it.
//!
//! Hardly any file has a part or notes, and looking for them cost four system calls for each. Another process
//! may change the directory afterwards. A name that was free and is taken now, or the reverse, makes
//! `whole_file` take the longer way. A part that another process leaves later is not continued: small files
//! leave it alone, and a part of the same file replaces it; one that is being written is locked.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, statat, unlinkat};
use rustix::process::geteuid;

use super::directory::OutputDirectory;
use super::part_paths::is_plain;
use crate::client::plan::part_name::{hash_of, is_whole_file_name, stem};

/// A directory with more entries for each job is not read: each job looks for its own files then.
const MAX_ENTRIES_PER_JOB: usize = 16;

/// A temporary file that is unchanged for so long is not being written: that takes three system calls.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// The names in the output directory when the run began; by default none is known.
#[derive(Debug, Default)]
pub(crate) struct DirectorySnapshot {
    /// `None` if they are not known.
    names: Option<Names>,
}

#[derive(Debug, Default)]
struct Names {
    /// The hashes in the names of parts and notes.
    parts: HashSet<Box<str>>,
    /// Hashes of all names, which take less memory.
    all: HashSet<u64>,
    state: RandomState,
}

impl DirectorySnapshot {
    /// Looks at the directory, and removes the temporary files that a killed process left there.
    pub(crate) fn take(directory: &OutputDirectory, jobs: usize) -> Self {
        Self { names: read(directory, jobs.saturating_mul(MAX_ENTRIES_PER_JOB)) }
    }

    /// Whether there may be a part or notes of the file with this name.
    pub(crate) fn may_have_part(&self, file_name: &str) -> bool {
        self.names_of(file_name).is_none_or(|Names { parts, .. }| {
            !parts.is_empty()
                && hash_of_stem(&stem(file_name, 0)).is_some_and(|hash| parts.contains(hash))
        })
    }

    /// Whether a file had the name; `None` if that is not known.
    pub(super) fn has(&self, file_name: &str) -> Option<bool> {
        self.names_of(file_name).map(|names| names.all.contains(&names.state.hash_one(file_name)))
    }

    /// The names among which that of the file would be. Directories below the output directory have not been
    /// looked at.
    fn names_of(&self, file_name: &str) -> Option<&Names> {
        self.names.as_ref().filter(|_| !file_name.contains('/'))
    }
}

fn hash_of_stem(stem: &str) -> Option<&str> {
    stem.rsplit_once('.').map(|(_, hash)| hash)
}

/// The names in the directory; `None` if it cannot be read or has more than `max_entries`.
fn read(directory: &OutputDirectory, max_entries: usize) -> Option<Names> {
    let mut names = Names::default();
    for (number, entry) in Dir::read_from(directory.handle()).ok()?.enumerate() {
        if number >= max_entries {
            return None;
        }
        let entry = entry.ok()?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if is_whole_file_name(name) {
            remove_if_abandoned(directory, name, SystemTime::now());
        } else if let Some(hash) = hash_of(name) {
            names.parts.insert(hash.into());
        }
        names.all.insert(names.state.hash_one(name));
    }
    Some(names)
}

fn remove_if_abandoned(directory: &OutputDirectory, name: &str, now: SystemTime) {
    let Ok(stat) = statat(directory.handle(), name, AtFlags::SYMLINK_NOFOLLOW) else { return };
    let changed = u64::try_from(stat.st_ctime).map(Duration::from_secs).unwrap_or_default();
    let age = now.duration_since(SystemTime::UNIX_EPOCH + changed);
    let is_own = is_plain(&stat) && stat.st_uid == geteuid().as_raw();
    if is_own && age.is_ok_and(|age| age >= ABANDONED_AFTER) {
        // Another run may have removed it first.
        let _ = unlinkat(directory.handle(), name, AtFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::client::plan::part_name::whole_file_name;

    #[test]
    fn only_files_with_parts_or_notes_and_those_below_are_looked_for() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        for (name, suffix) in [("a", "part"), ("b", "part.json"), ("c", "part.json~")] {
            fs::write(root.path().join(format!("{}.{suffix}", stem(name, 0))), "").unwrap();
        }
        fs::write(root.path().join("d.part"), "").unwrap();
        let found = DirectorySnapshot::take(&directory, 1);
        for (name, expected) in
            [("a", true), ("b", true), ("c", true), ("d", false), ("a.part", false), ("x/y", true)]
        {
            assert_eq!(found.may_have_part(name), expected, "{name}");
        }
        let has = ["d.part", "d", "x/y"].map(|name| found.has(name));
        assert_eq!(has, [Some(true), Some(false), None]);
    }

    #[test]
    fn a_directory_with_many_entries_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        // The directory itself and its parent are entries too.
        for number in 2..MAX_ENTRIES_PER_JOB {
            fs::write(root.path().join(number.to_string()), "").unwrap();
        }
        assert!(!DirectorySnapshot::take(&directory, 1).may_have_part("x"));
        fs::write(root.path().join("one more"), "").unwrap();
        assert!(DirectorySnapshot::take(&directory, 1).may_have_part("x"));
        assert!(!DirectorySnapshot::take(&directory, 2).may_have_part("x"));
    }

    #[test]
    fn only_old_temporary_files_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::prepare(root.path()).unwrap();
        let name = whole_file_name(1, 1);
        fs::write(root.path().join(&name), "").unwrap();
        DirectorySnapshot::take(&directory, 1);
        assert!(root.path().join(&name).exists(), "it may be being written");
        // Its time of change cannot be set, so the test asks at a later time.
        remove_if_abandoned(&directory, &name, SystemTime::now() + ABANDONED_AFTER);
        assert!(!root.path().join(&name).exists());
        fs::write(root.path().join("x"), "").unwrap();
        fs::hard_link(root.path().join("x"), root.path().join(&name)).unwrap();
        remove_if_abandoned(&directory, &name, SystemTime::now() + ABANDONED_AFTER);
        assert!(root.path().join(&name).exists(), "it has another name");
    }
}
