//! The thread that writes a sink's lines.
//!
//! ```text
//! wait for a line ─▶ wait for a batch ─▶ take the buffer ─▶ write ─▶ reopen? ─▶ wait …
//!                                              ▲              └─ failed: keep the rest
//!                                              └───── delay ──────────┘
//! ```
//!
//! The rest of a failed write is written before newer lines, so that lines keep their order and a line
//! that was cut is completed once the disk has room again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};

use super::queue::{BATCH_BYTES, Queue, Shared};
use crate::server::log_interval::{LogInterval, WARNING_PERIOD};

/// Capacity that a buffer keeps after a burst.
pub(super) const MAX_KEPT_BYTES: usize = 64 * 1024;

/// How long to wait for a batch, for one write instead of many.
const BATCH_DELAY: Duration = Duration::from_millis(20);

/// How long to wait after a failed write.
const RETRY_DELAY: Duration = Duration::from_millis(250);

pub(super) enum Destination {
    File { path: PathBuf, file: File },
    Stream(Box<dyn Write + Send>),
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    name: String,
    destination: Destination,
    /// Lines taken from the queue, of which the first `written` bytes are written.
    taken: Vec<u8>,
    written: usize,
    warnings: LogInterval,
    /// Lost lines that a warning has reported.
    reported: u64,
}

/// Requests to the writer.
struct Requests {
    reopen: bool,
    close: bool,
}

/// A failed attempt to write or to reopen.
struct Failure {
    action: &'static str,
    error: io::Error,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, name: String, destination: Destination) -> Self {
        Self {
            shared,
            name,
            destination,
            taken: Vec::new(),
            written: 0,
            warnings: LogInterval::new(WARNING_PERIOD),
            reported: 0,
        }
    }

    pub(super) fn run(mut self) {
        let mut delay = Duration::ZERO;
        loop {
            let requests = self.take(delay);
            let mut result = self.write();
            if requests.reopen {
                result = result.and(self.reopen());
            }
            delay = match &result {
                Ok(()) => Duration::ZERO,
                // Another program has set the terminal to non-blocking mode, for example.
                Err(failure) if failure.is_transient() => BATCH_DELAY,
                Err(_) => {
                    self.shared.failures.fetch_add(1, Ordering::Relaxed);
                    RETRY_DELAY
                }
            };
            self.warn(result.as_ref().err());
            if requests.close && (result.is_err() || self.shared.lock().lines.is_empty()) {
                break;
            }
        }
        self.shared.count_dropped(&self.taken[self.written..]);
        let left = mem::take(&mut self.shared.lock().lines);
        self.shared.count_dropped(&left);
        self.warn_at_the_end();
        self.shared.lock().has_ended = true;
        self.shared.ended.notify_all();
    }

    /// Waits for lines and takes them; or, if a write has left some, waits for `delay`.
    fn take(&mut self, delay: Duration) -> Requests {
        let has_request = |queue: &Queue| queue.wants_reopening || queue.is_closing;
        let (filled, mut queue) = (&self.shared.filled, self.shared.lock());
        if self.taken.is_empty() {
            let is_idle = |queue: &mut Queue| queue.lines.is_empty() && !has_request(queue);
            queue = match self.next_warning() {
                None => filled.wait_while(queue, is_idle).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let wait = due.saturating_duration_since(Instant::now());
                    let waited = filled.wait_timeout_while(queue, wait, is_idle);
                    let (queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                    if waited.timed_out() {
                        return Requests { reopen: false, close: false };
                    }
                    queue
                }
            };
            let is_small =
                |queue: &mut Queue| queue.lines.len() < BATCH_BYTES && !has_request(queue);
            (queue, _) = filled
                .wait_timeout_while(queue, BATCH_DELAY, is_small)
                .unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut queue.lines, &mut self.taken);
        } else {
            (queue, _) = filled
                .wait_timeout_while(queue, delay, |queue| !has_request(queue))
                .unwrap_or_else(PoisonError::into_inner);
        }
        Requests { reopen: mem::take(&mut queue.wants_reopening), close: queue.is_closing }
    }

    /// Writes the lines that were taken.
    fn write(&mut self) -> Result<(), Failure> {
        self.destination
            .write(&self.taken, &mut self.written)
            .map_err(|error| Failure { action: "write to", error })?;
        self.written = 0;
        self.taken.clear();
        self.taken.shrink_to(MAX_KEPT_BYTES);
        Ok(())
    }

    /// Reopens the file. The rest of a line that begins in the old file is lost.
    fn reopen(&mut self) -> Result<(), Failure> {
        let Destination::File { path, file } = &mut self.destination else { return Ok(()) };
        *file = open_for_append(path).map_err(|error| Failure { action: "reopen", error })?;
        let rest = rest_of_line(&self.taken, self.written);
        self.shared.count_dropped(rest);
        self.written += rest.len();
        Ok(())
    }

    /// When to report lost lines; `None` if all are reported.
    fn next_warning(&self) -> Option<Instant> {
        let has_unreported = self.shared.dropped.load(Ordering::Relaxed) != self.reported;
        has_unreported.then(|| self.warnings.next().unwrap_or_else(Instant::now))
    }

    /// Reports how many lines were lost in all, unless that is reported.
    fn warn_at_the_end(&self) {
        let lost = self.shared.dropped.load(Ordering::Relaxed);
        if lost != self.reported {
            log::warn!("the log {} has lost {lost} lines in all", self.name);
        }
    }

    /// Reports a failure or lost lines, at most once a minute. The queue must not be locked here, as the
    /// warning may be appended to this very sink.
    fn warn(&mut self, failure: Option<&Failure>) {
        let failure = failure.filter(|failure| !failure.is_transient());
        let lost = self.shared.dropped.load(Ordering::Relaxed);
        let is_silent = failure.is_none() && lost == self.reported;
        if is_silent || !self.warnings.permits(Instant::now()) {
            return;
        }
        let name = &self.name;
        match failure {
            Some(Failure { action, error }) => {
                log::warn!("cannot {action} the log {name}: {error} ({lost} lines lost so far)");
            }
            None => log::warn!("the log {name} takes lines too slowly: {lost} lost so far"),
        }
        self.reported = lost;
    }
}

impl Failure {
    fn is_transient(&self) -> bool {
        self.error.kind() == io::ErrorKind::WouldBlock
    }
}

impl Destination {
    /// Writes all from `written` on, and advances it.
    fn write(&mut self, bytes: &[u8], written: &mut usize) -> io::Result<()> {
        let writer: &mut dyn Write = match self {
            Self::File { file, .. } => file,
            Self::Stream(stream) => stream,
        };
        while *written < bytes.len() {
            match writer.write(&bytes[*written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => *written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        writer.flush()
    }
}

/// Opens without blocking: a FIFO without a reader is an error.
pub(super) fn open_for_append(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().append(true).create(true).custom_flags(nonblocking).open(path)?;
    // The thread may block from here on.
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

/// The rest of the line of which `written` bytes end in the middle, or nothing.
fn rest_of_line(lines: &[u8], written: usize) -> &[u8] {
    let (before, after) = lines.split_at(written);
    let is_within = before.last().is_some_and(|byte| *byte != b'\n');
    let rest = after.split_inclusive(|byte| *byte == b'\n').next().filter(|_| is_within);
    rest.unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use log::{LevelFilter, Log, Metadata, Record};

    use super::*;
    use crate::server::logs::sink::{LogHandle, LogSink};
    use crate::server::test_wait::wait_until;

    /// Stores the warnings logged while these tests run.
    struct Warnings(Mutex<Vec<String>>);

    static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

    impl Log for Warnings {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            self.0.lock().unwrap().push(record.args().to_string());
        }

        fn flush(&self) {}
    }

    impl Warnings {
        /// The warnings about one log, once there is one.
        fn about(&self, name: &str) -> Vec<String> {
            let mut about = Vec::new();
            wait_until(&format!("there is a warning about {name}"), || {
                about.clone_from(&self.0.lock().unwrap());
                about.retain(|warning| warning.contains(name));
                !about.is_empty()
            });
            about
        }
    }

    /// A writer that has lost three lines and reported two of them. Its next warning is due after this time.
    fn start_writer(name: &str, due_in: Duration) -> LogSink {
        // Succeeds in the first test.
        if log::set_logger(&WARNINGS).is_ok() {
            log::set_max_level(LevelFilter::Warn);
        }
        let shared = Arc::<Shared>::default();
        shared.dropped.store(3, Ordering::Relaxed);
        let destination = Destination::Stream(Box::new(io::sink()));
        let mut writer = Writer::new(Arc::clone(&shared), name.to_owned(), destination);
        writer.reported = 2;
        writer.warnings = LogInterval::new(due_in);
        assert!(writer.warnings.permits(Instant::now()));
        thread::spawn(move || writer.run());
        LogSink { handle: LogHandle { shared } }
    }

    #[test]
    fn lost_lines_are_reported_when_a_warning_is_due_even_if_no_line_comes() {
        const NAME: &str = "idle while a warning is due";
        let started_at = Instant::now();
        let _sink = start_writer(NAME, Duration::from_millis(200));
        let expected = format!("the log {NAME} takes lines too slowly: 3 lost so far");
        assert_eq!(WARNINGS.about(NAME), [expected]);
        assert!(started_at.elapsed() >= Duration::from_millis(200), "a minute had not passed");
    }

    #[test]
    fn lost_lines_are_reported_at_the_end_if_no_warning_was_due() {
        const NAME: &str = "ends before a warning is due";
        drop(start_writer(NAME, WARNING_PERIOD));
        assert_eq!(WARNINGS.about(NAME), [format!("the log {NAME} has lost 3 lines in all")]);
    }

    #[test]
    fn a_line_that_was_begun_has_a_rest() {
        for (written, rest) in [(0, ""), (1, "ne\n"), (3, "\n"), (4, ""), (5, "wo\n"), (8, "")] {
            assert_eq!(rest_of_line(b"one\ntwo\n", written), rest.as_bytes(), "{written}");
        }
        assert_eq!(rest_of_line(b"", 0), b"");
        assert_eq!(rest_of_line(b"one", 2), b"e");
    }
}
