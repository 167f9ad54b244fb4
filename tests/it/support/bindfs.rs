//! A file system in user space that can be made to fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use super::wait_until;

/// A directory `original`, which bindfs(1) mounts beside it as `shown`; unmounted when dropped.
pub(crate) struct Bound {
    root: TempDir,
    daemon: Child,
}

impl Bound {
    pub(crate) fn mount(options: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("original")).unwrap();
        fs::create_dir(root.path().join("shown")).unwrap();
        let daemon = Command::new("bindfs")
            .arg("-f")
            .args(options)
            .arg(root.path().join("original"))
            .arg(root.path().join("shown"))
            .spawn()
            .unwrap();
        let bound = Self { root, daemon };
        // A file made in the original is visible through the mount.
        fs::write(bound.root().join("original/probe"), "").unwrap();
        wait_until("it is mounted", || bound.shown().join("probe").exists());
        bound
    }

    /// The parent of both directories.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn shown(&self) -> PathBuf {
        self.root().join("shown")
    }

    /// From now on every access to the mount fails with `ENOTCONN`.
    pub(crate) fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
        // The kernel caches metadata for a second.
        wait_until("the mount is dead", || self.shown().metadata().is_err());
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Lazily, as a test may have left files open.
        unmount(&self.shown());
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Unmounts a FUSE file system lazily. FUSE 2 and 3 have programs of their own for it, of which one may be
/// installed.
pub(crate) fn unmount(at: &Path) {
    for program in ["fusermount3", "fusermount"] {
        if Command::new(program).arg("-uz").arg(at).status().is_ok_and(|status| status.success()) {
            return;
        }
    }
}
