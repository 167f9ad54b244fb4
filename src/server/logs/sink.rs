//! Lines of a log on their way out, so that whoever logs never waits and never fails.
//!
//! ```text
//! LogHandle::append ─▶ bounded buffer ─▶ writer thread ─▶ file or stream
//!                        └─ full: the line is dropped and counted
//! ```
//!
//! Serving must not depend on who reads the log: a pipe that nobody empties or a full disk costs
//! lines, which are counted and told, and nothing else. Owns the buffer, and starting and ending the thread
//! that empties it; writing, trying again and log rotation are `writer`'s. What a line says is left
//! to those who log.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::queue::{HASTE_BYTES, Shared};
use super::writer::{Destination, Writer, open_for_append};
use crate::server::large_buffer;

/// Most bytes that wait for the writer. As many again may be in its hands.
///
/// A busy disk takes nothing for a second or two at times. At 70,000 requests a second the lines of so
/// long a time do not fit; at 5,000 a second they do, with room to spare.
const CAPACITY_BYTES: usize = 16 * 1024 * 1024;

/// How long the end of a sink waits for its last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The destination of a log, with the thread that writes to it.
///
/// Lines that were appended before it is dropped are written then, for at most a second: where the
/// destination blocks, the thread is left behind for the end of the process. Lines appended later
/// are dropped.
#[derive(Debug)]
pub struct LogSink {
    pub(super) handle: LogHandle,
}

/// Takes lines for a [`LogSink`]. Cheap to clone, and never waits for the destination.
#[derive(Clone)]
pub struct LogHandle {
    pub(super) shared: Arc<Shared>,
}

impl LogSink {
    /// Appends to a file, which is created where it is missing.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no thread for the sink.
    pub fn append_to(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let name = path.display().to_string();
        let file = open_for_append(&path)?;
        Self::start(name, Destination::File { path, file })
    }

    /// Writes to an open descriptor, such as the standard output, past any buffer and lock of it.
    /// `name` is what warnings call it.
    ///
    /// # Errors
    /// The descriptor cannot be duplicated, or there is no thread for the sink.
    pub fn to_descriptor(name: &str, descriptor: impl AsFd) -> io::Result<Self> {
        let file = File::from(descriptor.as_fd().try_clone_to_owned()?);
        Self::to_writer(name, Box::new(file))
    }

    /// Writes to a writer of the caller's, flushed after each write.
    ///
    /// # Errors
    /// There is no thread for the sink.
    pub fn to_writer(name: &str, writer: Box<dyn Write + Send>) -> io::Result<Self> {
        Self::start(name.to_owned(), Destination::Stream(writer))
    }

    fn start(name: String, destination: Destination) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = Writer::new(Arc::clone(&shared), name, destination);
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.run())?;
        Ok(Self { handle: LogHandle { shared } })
    }

    #[must_use]
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        let mut queue = shared.lock();
        queue.is_closing = true;
        shared.filled.notify_one();
        let _ = shared.ended.wait_timeout_while(queue, LAST_LINES, |queue| !queue.has_ended);
    }
}

impl LogHandle {
    /// Appends one or more whole lines, each with its line feed: all of them, or none where they do
    /// not fit.
    pub fn append(&self, lines: &[u8]) {
        let mut queue = self.shared.lock();
        let held = queue.lines.len();
        if queue.is_closing || lines.len() > CAPACITY_BYTES - held {
            drop(queue);
            self.shared.count_dropped(lines);
            return;
        }
        // It outlives the connection that happens to log.
        large_buffer::reserve(&mut queue.lines, lines.len());
        queue.lines.extend_from_slice(lines);
        let holds = queue.lines.len();
        drop(queue);
        // The writer sleeps until there is a first line, and gathers until there are many.
        if held == 0 || (held < HASTE_BYTES && holds >= HASTE_BYTES) {
            self.shared.filled.notify_one();
        }
    }

    /// Has the file opened anew by its name, after what was appended until now: for a rotation that
    /// has renamed it. The old one stays in use where that fails. Without effect on a stream.
    pub fn reopen(&self) {
        self.shared.lock().wants_reopening = true;
        self.shared.filled.notify_one();
    }

    /// Lines that will never be written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Attempts to write or to reopen that failed. What was to be written is tried again.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }
}

/// Each write is taken for whole lines, as [`LogHandle::append`] takes them, and succeeds.
impl Write for LogHandle {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.append(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogHandle")
            .field("dropped", &self.dropped())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
