//! The path of the root, and the directory that it names at present.
//!
//! Site generators remove and recreate the served directory, and releases are switched by a symbolic link.
//! So the path is served rather than the directory that it named at the start. It is opened again once a
//! second, when a file is not found and the path names another directory, and for each request while it
//! names none. Requests in progress keep the directory that they began with.
//!
//! It is opened again even if device and inode are unchanged: FUSE and network file systems may reuse them
//! for another directory while the first is open.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustix::fs;
use rustix::io::Errno;

use super::error::{LookupError, SiteError};
use super::root::Root;
use super::settings::SymbolicLinks;

/// How long an opened directory is used before the path is opened again.
const MAX_AGE: Duration = Duration::from_secs(1);

/// A path, and the directory that it names.
#[derive(Debug)]
pub(super) struct RootPath {
    path: PathBuf,
    links: SymbolicLinks,
    /// `None` while the path names no directory that can be served.
    named: RwLock<Option<Arc<Root>>>,
    opened_at: Instant,
    /// When the path was last opened for its age, in milliseconds since `opened_at`.
    renewed_at: AtomicU64,
}

impl RootPath {
    /// Opens the directory that `path` names. A relative path is resolved against the current directory.
    ///
    /// # Errors
    /// The path names no directory, or one that cannot be opened, or `openat2` is denied.
    pub(super) fn open(path: &Path, links: SymbolicLinks) -> Result<Self, SiteError> {
        let root = Root::open(path, links)
            .map_err(|source| SiteError::Root { path: path.to_owned(), source })?;
        match root.openat2_error() {
            None => {}
            // A sandbox denies the call, which its owner can change.
            Some(error @ (Errno::ACCESS | Errno::PERM)) => {
                return Err(SiteError::Denied { path: path.to_owned(), source: error.into() });
            }
            Some(error) => log::warn!(
                "openat2 cannot be used: {error} (a sandbox?); resolving a path takes several calls instead"
            ),
        }
        Ok(Self {
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            links,
            named: RwLock::new(Some(Arc::new(root))),
            opened_at: Instant::now(),
            renewed_at: AtomicU64::new(0),
        })
    }

    /// The directory that the path names, or named less than [`MAX_AGE`] before `now`.
    ///
    /// # Errors
    /// [`LookupError::NoRoot`]: the path names none.
    pub(super) fn current(&self, now: Instant) -> Result<Arc<Root>, LookupError> {
        match self.named() {
            Some(root) if !self.is_due(now) => Ok(root),
            _ => {
                self.reopen();
                self.named().ok_or(LookupError::NoRoot)
            }
        }
    }

    /// The directory that the path names now, if its device or inode differs from `before`.
    ///
    /// # Errors
    /// [`LookupError::NoRoot`]: the path names none.
    pub(super) fn changed_from(&self, before: &Root) -> Result<Option<Arc<Root>>, LookupError> {
        if fs::stat(&self.path).is_ok_and(|stat| before.is(&stat)) {
            return Ok(None);
        }
        self.reopen();
        let root = self.named().ok_or(LookupError::NoRoot)?;
        Ok((!root.is_same(before)).then_some(root))
    }

    fn named(&self) -> Option<Arc<Root>> {
        self.named.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the path must be opened again. True for one of several concurrent callers, so that a file
    /// system that does not respond blocks only that one.
    fn is_due(&self, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.opened_at).as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let last = self.renewed_at.load(Ordering::Relaxed);
        u128::from(now.saturating_sub(last)) >= MAX_AGE.as_millis()
            && self
                .renewed_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Opens the directory that the path names now.
    fn reopen(&self) {
        let opened = Root::open(&self.path, self.links);
        let is_temporary = |error: &io::Error| {
            matches!(
                Errno::from_io_error(error),
                Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR)
            )
        };
        if opened.as_ref().is_err_and(is_temporary) {
            return;
        }
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.display();
        match (&mut *named, opened) {
            (Some(before), Ok(root)) => {
                if !before.is_same(&root) {
                    log::info!("{path} is another directory, which is served from now on");
                }
                // Reuses the allocation if no request uses the directory before.
                match Arc::get_mut(before) {
                    Some(unused) => *unused = root,
                    None => *before = Arc::new(root),
                }
            }
            (None, Ok(root)) => {
                log::info!("{path} is a directory again, which is served from now on");
                *named = Some(Arc::new(root));
            }
            (Some(_), Err(error)) => {
                log::warn!("{path} cannot be served any more: {error} (503 until it can)");
                *named = None;
            }
            (None, Err(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_opened_again_after_a_second() {
        let tree = tempfile::tempdir().unwrap();
        let path = RootPath::open(tree.path(), SymbolicLinks::Confined).unwrap();
        let at = |milliseconds| path.opened_at + Duration::from_millis(milliseconds);
        for (milliseconds, expected) in
            [(0, false), (999, false), (1000, true), (1001, false), (1999, false), (5000, true)]
        {
            assert_eq!(path.is_due(at(milliseconds)), expected, "{milliseconds} ms");
        }
        let before = path.current(at(5000)).unwrap();
        let after = path.current(at(6000)).unwrap();
        assert!(
            !Arc::ptr_eq(&before, &after),
            "opened again even if device and inode are unchanged"
        );
    }

    #[test]
    fn another_directory_is_served_once_the_path_is_opened() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let path = RootPath::open(&root, SymbolicLinks::Confined).unwrap();
        let first = path.current(path.opened_at).unwrap();
        assert!(path.changed_from(&first).unwrap().is_none(), "nothing has changed");
        std::fs::rename(&root, tree.path().join("old")).unwrap();
        assert!(path.current(path.opened_at).is_ok(), "it is not opened again so soon");
        assert!(matches!(path.changed_from(&first), Err(LookupError::NoRoot)));
        assert!(matches!(path.current(path.opened_at), Err(LookupError::NoRoot)));
        std::fs::write(&root, "no directory").unwrap();
        assert!(matches!(path.current(path.opened_at), Err(LookupError::NoRoot)));
        std::fs::remove_file(&root).unwrap();
        std::fs::create_dir(&root).unwrap();
        let second =
            path.current(path.opened_at).expect("each request tries while there is no root");
        assert!(!second.is_same(&first));
        assert!(path.changed_from(&first).unwrap().is_some_and(|root| root.is_same(&second)));
    }
}
