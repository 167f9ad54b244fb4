//! Warnings of entries whose metadata cannot be read: one for each, however often it is listed.

use std::collections::HashMap;
use std::sync::Mutex;

use rustix::io::Errno;

use super::identity::Identity;
use crate::printable::Escaped;
use crate::server::lock::lock;

/// Failing entries of one directory that are told apart; the others are counted.
const MAX_NAMES: usize = 64;

/// Directories with failing entries that are remembered; then all are forgotten, and told once more.
const MAX_DIRECTORIES: usize = 256;

/// Entries of one directory whose metadata could not be read.
#[derive(Debug, Default)]
pub(super) struct Failing {
    first: Vec<(Box<[u8]>, Errno)>,
    count: usize,
}

impl Failing {
    pub(super) fn note(&mut self, name: &[u8], error: Errno) {
        self.count += 1;
        if self.first.len() < MAX_NAMES {
            self.first.push((name.into(), error));
        }
    }
}

/// The failing entries that have been told.
#[derive(Debug, Default)]
pub(super) struct ToldFailures {
    directories: Mutex<HashMap<Identity, Failing>>,
}

impl ToldFailures {
    /// Logs a warning if an entry fails that did not fail when its directory was read before.
    /// `relative` is the path of the directory beneath the root.
    pub(super) fn tell(&self, directory: Identity, relative: &[u8], failing: Failing) {
        if let Some(message) = self.news(directory, relative, failing) {
            log::warn!("{message}");
        }
    }

    fn news(&self, directory: Identity, relative: &[u8], failing: Failing) -> Option<String> {
        let mut directories = lock(&self.directories);
        let before = directories.remove(&directory).unwrap_or_default();
        let is_new = |name: &[u8]| before.first.iter().all(|(told, _)| **told != *name);
        let message = failing.first.iter().find(|(name, _)| is_new(name)).map(|(name, error)| {
            let others = match failing.count - 1 {
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
        if failing.count > 0 {
            if directories.len() >= MAX_DIRECTORIES {
                directories.clear();
            }
            directories.insert(directory, failing);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(names: &[&str]) -> Failing {
        let mut failing = Failing::default();
        for name in names {
            failing.note(name.as_bytes(), Errno::IO);
        }
        failing
    }

    #[test]
    fn each_entry_is_told_once_until_it_has_recovered() {
        let told = ToldFailures::default();
        let news = |names: &[&str]| told.news(Identity::of_test(1), b"a", failing(names));
        assert!(news(&[]).is_none());
        let message = news(&["x"]).expect("it is new");
        assert!(message.starts_with("/a/x: ") && message.contains("os error 5"), "{message}");
        assert!(news(&["x"]).is_none(), "it has been told");
        let message = news(&["x", "y\n", "z"]).expect("two are new");
        assert!(message.starts_with("/a/y\\x0a: "), "{message}");
        assert!(message.ends_with(" (2 more in this directory)"), "{message}");
        assert!(news(&["y\n", "z"]).is_none());
        assert!(news(&[]).is_none());
        assert!(news(&["x"]).is_some(), "it had recovered");
    }

    #[test]
    fn very_many_failures_take_no_memory() {
        let told = ToldFailures::default();
        let names: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for directory in 0..3 * MAX_DIRECTORIES as u64 {
            assert!(told.news(Identity::of_test(directory), b"", failing(&names)).is_some());
            assert!(told.news(Identity::of_test(directory), b"", failing(&names)).is_none());
        }
        let directories = told.directories.lock().unwrap();
        assert!(directories.len() <= MAX_DIRECTORIES);
        assert!(directories.values().all(|failing| failing.first.len() <= MAX_NAMES));
    }
}
