//! The names that the files of a run have reserved: no two files get the same one.
//!
//! A name is never reserved for both a file and a directory. The caller says which files exist, since only
//! some runs avoid their names.

use std::collections::{HashMap, HashSet};

use super::url_name;

/// The names of one output directory, as paths with slashes.
#[derive(Debug, Default)]
pub(crate) struct ReservedNames {
    taken: HashSet<Box<str>>,
    directories: HashSet<Box<str>>,
    /// The number to try next, by the name that was asked for.
    next: HashMap<Box<str>, usize>,
}

impl ReservedNames {
    /// Reserves `wanted`, whose components are safe, or else the first numbered name that is free: the second
    /// `a.txt` becomes `a.1.txt`.
    pub(crate) fn claim(&mut self, wanted: &str, is_there: impl Fn(&str) -> bool) -> String {
        let (directory, name) = match wanted.rsplit_once('/') {
            Some((directory, name)) => (self.enter(directory), name),
            None => (String::new(), wanted),
        };
        let wanted = joined(&directory, name);
        let mut number = self.next.get(&*wanted).copied().unwrap_or_default();
        loop {
            let candidate = joined(&directory, &url_name::numbered(name, number));
            number += 1;
            if self.is_free(&candidate) && !is_there(&candidate) {
                // Most names are asked for once, and need no entry.
                if number > 1 {
                    self.next.insert(wanted.into(), number);
                }
                self.taken.insert(candidate.as_str().into());
                return candidate;
            }
        }
    }

    /// Reserves a name that is free.
    pub(crate) fn reserve(&mut self, name: &str) {
        if let Some((directory, _)) = name.rsplit_once('/') {
            self.enter(directory);
        }
        self.taken.insert(name.into());
    }

    /// Reserves this directory, or else a numbered one, none of whose components is a file.
    fn enter(&mut self, directory: &str) -> String {
        let mut path = String::new();
        for part in directory.split('/') {
            let mut number = 0;
            path = loop {
                let candidate = joined(&path, &url_name::numbered(part, number));
                number += 1;
                if !self.taken.contains(&*candidate) {
                    break candidate;
                }
            };
            if !self.directories.contains(&*path) {
                self.directories.insert(path.as_str().into());
            }
        }
        path
    }

    fn is_free(&self, name: &str) -> bool {
        !self.taken.contains(name) && !self.directories.contains(name)
    }
}

fn joined(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim_all(wanted: &[&str]) -> Vec<String> {
        let mut names = ReservedNames::default();
        wanted.iter().map(|name| names.claim(name, |_| false)).collect()
    }

    #[test]
    fn every_claim_has_a_name_of_its_own() {
        for (wanted, expected) in [
            (&["x.txt", "x.txt", "x.txt"][..], &["x.txt", "x.1.txt", "x.2.txt"][..]),
            (&["x.1.txt", "x.txt", "x.txt"], &["x.1.txt", "x.txt", "x.2.txt"]),
            (&["x.txt", "x.txt", "x.1.txt"], &["x.txt", "x.1.txt", "x.1.1.txt"]),
            // A name is not both a file and a directory.
            (&["h/x", "h/x/y"], &["h/x", "h/x.1/y"]),
            (&["h/x/y", "h/x"], &["h/x/y", "h/x.1"]),
            (&["h/x", "g/x", "h/x"], &["h/x", "g/x", "h/x.1"]),
        ] {
            assert_eq!(claim_all(wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn a_name_that_is_there_or_reserved_is_passed_over() {
        let mut names = ReservedNames::default();
        assert_eq!(names.claim("x", |name| name == "x"), "x.1");
        names.reserve("d/y");
        assert_eq!(names.claim("d/y", |_| false), "d/y.1");
        assert_eq!(names.claim("d", |_| false), "d.1");
    }
}
