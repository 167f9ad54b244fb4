//! A log: appending a line neither blocks nor fails.
//!
//! ```text
//! LogHandle::append ─▶ bounded buffer ─▶ writer thread ─▶ file or stream
//!                        └─ full: the line is dropped and counted
//! ```
//!
//! Serving must not depend on the reader of a log: a pipe that is not read or a full disk costs lines, which
//! are counted and reported, and nothing else. Owns the buffer, and the start and the end of the writer
//! thread; writing, retries and log rotation are left to `writer`, the content of lines to the caller.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::queue::{BATCH_BYTES, Shared};
use super::writer::{Destination, Writer, open_for_append};
use crate::server::large_buffer;

/// Most bytes that wait for the writer, which may hold as many again.
///
/// A busy disk sometimes blocks for a second or two. The lines of two seconds fit at 25,000 requests a
/// second, but not at 70,000.
const CAPACITY_BYTES: usize = 16 * 1024 * 1024;

/// How long dropping a sink waits for its last lines.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The destination of a log, with the thread that writes to it.
///
/// Dropping it writes the lines appended so far, for at most one second. If the destination blocks for
/// longer, the thread is left running. Lines appended later are lost.
#[derive(Debug)]
pub struct LogSink {
    pub(super) handle: LogHandle,
}

/// Appends lines to a [`LogSink`]. Cheap to clone; never waits for the destination.
#[derive(Clone)]
pub struct LogHandle {
    pub(super) shared: Arc<Shared>,
}

impl LogSink {
    /// Appends to a file, which is created if it is missing.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread cannot be started.
    pub fn append_to(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let name = path.display().to_string();
        let file = open_for_append(&path)?;
        Self::start(name, Destination::File { path, file })
    }

    /// Writes to an open descriptor, such as standard output, without its buffer and its lock. Warnings
    /// call it `name`.
    ///
    /// # Errors
    /// The descriptor cannot be duplicated, or the thread cannot be started.
    pub fn to_descriptor(name: &str, descriptor: impl AsFd) -> io::Result<Self> {
        let file = File::from(descriptor.as_fd().try_clone_to_owned()?);
        Self::to_writer(name, Box::new(file))
    }

    /// Writes to any writer, and flushes it after each write. Warnings call it `name`.
    ///
    /// # Errors
    /// The thread cannot be started.
    fn to_writer(name: &str, writer: Box<dyn Write + Send>) -> io::Result<Self> {
        Self::start(name.to_owned(), Destination::Stream(writer))
    }

    fn start(name: String, destination: Destination) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = Writer::new(Arc::clone(&shared), name, destination);
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.run())?;
        Ok(Self { handle: LogHandle { shared } })
    }

    /// A handle to append lines with.
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
        let _ = shared.ended.wait_timeout_while(queue, CLOSE_TIMEOUT, |queue| !queue.has_ended);
    }
}

impl LogHandle {
    /// Appends one or more whole lines, each with its line feed. If they do not all fit, all are lost.
    pub fn append(&self, lines: &[u8]) {
        let mut queue = self.shared.lock();
        let held = queue.lines.len();
        if queue.is_closing || lines.len() > CAPACITY_BYTES - held {
            drop(queue);
            self.shared.count_dropped(lines);
            return;
        }
        // The buffer outlives the thread that grows it.
        large_buffer::reserve(&mut queue.lines, lines.len());
        queue.lines.extend_from_slice(lines);
        let length = queue.lines.len();
        drop(queue);
        // The writer sleeps until the first line, and then waits for a batch.
        if held == 0 || (held < BATCH_BYTES && length >= BATCH_BYTES) {
            self.shared.filled.notify_one();
        }
    }

    /// Reopens the file by its name once the lines appended so far are written: for a log rotation that has
    /// renamed it. If that fails, the old file stays in use. No effect on a stream.
    pub fn reopen(&self) {
        self.shared.lock().wants_reopening = true;
        self.shared.filled.notify_one();
    }

    /// The number of lines lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// The number of failed attempts to write or to reopen. Lines of a failed write are written again.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }
}

/// Each write appends whole lines, as [`LogHandle::append`] does, and succeeds.
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
