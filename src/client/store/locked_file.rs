//! A file that is locked against other downloads.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::sync::Arc;

/// An open and locked file. Its lock is released when the last clone is dropped.
///
/// Closing a file releases its lock only when no process has it open, and a child process inherits the open
/// files of its parent until it executes another program (flock(2)). So the lock is released explicitly.
#[derive(Clone, Debug)]
pub(crate) struct LockedFile(Arc<UnlockOnDrop>);

#[derive(Debug)]
struct UnlockOnDrop(File);

impl LockedFile {
    /// Takes a file that the caller has locked.
    pub(super) fn new(file: File) -> Self {
        Self(Arc::new(UnlockOnDrop(file)))
    }
}

impl Drop for UnlockOnDrop {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0.0
    }
}

impl Write for LockedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&**self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&**self).flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_lock_is_released_with_the_last_clone_though_a_child_has_the_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let open = || OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let file = open();
        file.try_lock().unwrap();
        // As its standard output, a child keeps the file open also after it has executed the program.
        let output = Stdio::from(file.try_clone().unwrap());
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(output).spawn();
        let mut child = child.unwrap();
        let locked = LockedFile::new(file);
        let clone = locked.clone();
        drop(locked);
        assert!(open().try_lock().is_err(), "a clone keeps it locked");
        drop(clone);
        assert!(open().try_lock().is_ok());
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
