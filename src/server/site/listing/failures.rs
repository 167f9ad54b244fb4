//! Warnings about entries with unreadable metadata: one for each, however often it is listed.

use std::collections::HashMap;
use std::sync::Mutex;

use rustix::io::Errno;

use super::directory_id::DirectoryId;
use crate::lock::lock;
use crate::printable::Escaped;

/// Most names of failed entries that are kept for one directory; the others are counted.
const MAX_NAMES: usize = 64;

/// Most directories that are kept; beyond that all are dropped and reported again.
const MAX_DIRECTORIES: usize = 256;

/// Entries of one directory with unreadable metadata.
#[derive(Debug, Default)]
pub(super) struct FailedEntries {
    first: Vec<FailedEntry>,
    count: usize,
}

#[derive(Debug)]
struct FailedEntry {
    name: Box<[u8]>,
    error: Errno,
}

impl FailedEntries {
    pub(super) fn add(&mut self, name: &[u8], error: Errno) {
        self.count += 1;
        if self.first.len() < MAX_NAMES {
            self.first.push(FailedEntry { name: name.into(), error });
        }
    }
}

/// The failed entries that were reported.
#[derive(Debug, Default)]
pub(super) struct FailureLog {
    directories: Mutex<HashMap<DirectoryId, FailedEntries>>,
}

impl FailureLog {
    /// Logs a warning if an entry failed that did not fail in the previous reading of its directory.
    /// `relative` is the path of the directory beneath the root.
    pub(super) fn report(&self, directory: DirectoryId, relative: &[u8], failed: FailedEntries) {
        if let Some(message) = self.warning(directory, relative, failed) {
            log::warn!("{message}");
        }
    }

    fn warning(
        &self,
        directory: DirectoryId,
        relative: &[u8],
        failed: FailedEntries,
    ) -> Option<String> {
        let mut directories = lock(&self.directories);
        let reported = directories.remove(&directory).unwrap_or_default();
        let is_new = |entry: &&FailedEntry| {
            reported.first.iter().all(|reported| reported.name != entry.name)
        };
        let message = failed.first.iter().find(is_new).map(|FailedEntry { name, error }| {
            let others = match failed.count - 1 {
                0 => String::new(),
                others => format!(" ({others} more in this directory)"),
            };
            format!(
                "/{}{}{}: {error}: listed without size and time{others}",
                Escaped(relative),
                if relative.is_empty() { "" } else { "/" },
                Escaped(name),
            )
        });
        if failed.count > 0 {
            if directories.len() >= MAX_DIRECTORIES {
                directories.clear();
            }
            directories.insert(directory, failed);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(names: &[&str]) -> FailedEntries {
        let mut failed = FailedEntries::default();
        for name in names {
            failed.add(name.as_bytes(), Errno::IO);
        }
        failed
    }

    #[test]
    fn each_entry_is_reported_once_until_it_recovers() {
        let log = FailureLog::default();
        let warning = |names: &[&str]| log.warning(DirectoryId::of_test(1), b"a", failed(names));
        assert!(warning(&[]).is_none());
        let message = warning(&["x"]).expect("it is new");
        assert!(message.starts_with("/a/x: ") && message.contains("os error 5"), "{message}");
        assert!(warning(&["x"]).is_none(), "it was reported");
        let message = warning(&["x", "y\n", "z"]).expect("two are new");
        assert!(message.starts_with("/a/y\\x0a: "), "{message}");
        assert!(message.ends_with(" (2 more in this directory)"), "{message}");
        assert!(warning(&["y\n", "z"]).is_none());
        assert!(warning(&[]).is_none());
        assert!(warning(&["x"]).is_some(), "it had recovered");
    }

    #[test]
    fn many_failures_take_limited_memory() {
        let log = FailureLog::default();
        let names: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for directory in 0..3 * MAX_DIRECTORIES as u64 {
            assert!(log.warning(DirectoryId::of_test(directory), b"", failed(&names)).is_some());
            assert!(log.warning(DirectoryId::of_test(directory), b"", failed(&names)).is_none());
        }
        let directories = log.directories.lock().unwrap();
        assert!(directories.len() <= MAX_DIRECTORIES);
        assert!(directories.values().all(|failed| failed.first.len() <= MAX_NAMES));
    }
}
