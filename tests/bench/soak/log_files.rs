//! The access log: rotation, and counts of its lines.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::de::IgnoredAny;

use super::server::Server;

/// Lines of rotated files, which are removed once counted.
#[derive(Default)]
pub(crate) struct LogFiles {
    pub(crate) lines: u64,
    /// Lines that are not JSON.
    pub(crate) damaged: u64,
    pub(crate) rotations: u64,
}

impl LogFiles {
    /// Renames the log, makes the server reopen it, and counts the lines of the old one.
    pub(crate) fn rotate(&mut self, server: &Server) -> io::Result<()> {
        let rotated = PathBuf::from(format!("{}.1", server.log_path.display()));
        fs::rename(&server.log_path, &rotated)?;
        server.signal(Signal::USR1)?;
        let begun = Instant::now();
        while !server.log_path.exists() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(io::Error::other("the access log was not reopened"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.rotations += 1;
        self.count(&rotated)?;
        fs::remove_file(rotated)
    }

    /// Counts the lines of a file that is no longer written to.
    pub(crate) fn count(&mut self, path: &Path) -> io::Result<()> {
        let mut reader = BufReader::new(File::open(path)?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            self.lines += 1;
            let is_whole = line.ends_with(b"\n");
            if !is_whole || serde_json::from_slice::<IgnoredAny>(&line).is_err() {
                self.damaged += 1;
            }
            line.clear();
        }
        Ok(())
    }
}
