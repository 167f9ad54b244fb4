//! The thread that empties a sink's buffer.
//!
//! ```text
//! sleep until a line comes ─▶ gather ─▶ take the buffer ─▶ write ─▶ reopen? ─▶ sleep …
//!                                            ▲              └─ failed: keep the rest
//!                                            └────── pause ─────────┘
//! ```
//!
//! What a failed write left over is kept and tried again before anything newer, so that lines keep
//! their order and the rest of a line follows its beginning once the disk has room again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};

use super::queue::{HASTE_BYTES, Queue, Shared};
use crate::server::throttle::{Throttle, WARNING_PERIOD};

/// After a burst a buffer gives back what it has beyond this.
pub(super) const KEPT_BYTES: usize = 64 * 1024;

/// How long lines are gathered, for one write instead of many.
const GATHERING: Duration = Duration::from_millis(20);

/// How long a destination that failed is left alone.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) enum Destination {
    File { path: PathBuf, file: File },
    Stream(Box<dyn Write + Send>),
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    name: String,
    destination: Destination,
    /// Lines taken from the queue; the first `written` bytes are out.
    taken: Vec<u8>,
    written: usize,
    warnings: Throttle,
    /// Lost lines that a warning has reported.
    reported: u64,
}

/// What the queue asks for beside writing.
struct Wishes {
    reopen: bool,
    close: bool,
}

/// What could not be done, and why.
struct Trouble {
    doing: &'static str,
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
            warnings: Throttle::new(WARNING_PERIOD),
            reported: 0,
        }
    }

    pub(super) fn run(mut self) {
        let mut pause = Duration::ZERO;
        loop {
            let wishes = self.take(pause);
            let mut result = self.write();
            if wishes.reopen {
                result = result.and(self.reopen());
            }
            pause = match &result {
                Ok(()) => Duration::ZERO,
                // A terminal, say, that another program has set so: it takes more in a moment.
                Err(trouble) if trouble.is_transient() => GATHERING,
                Err(_) => {
                    self.shared.failures.fetch_add(1, Ordering::Relaxed);
                    PAUSE
                }
            };
            self.warn(result.as_ref().err());
            if wishes.close && (result.is_err() || self.shared.lock().lines.is_empty()) {
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

    /// Waits for lines and takes them; or, where some are left over, waits out the pause.
    fn take(&mut self, pause: Duration) -> Wishes {
        let is_called = |queue: &Queue| queue.wants_reopening || queue.is_closing;
        let (filled, mut queue) = (&self.shared.filled, self.shared.lock());
        if self.taken.is_empty() {
            let idle = |queue: &mut Queue| queue.lines.is_empty() && !is_called(queue);
            queue = match self.next_warning() {
                None => filled.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let wait = due.saturating_duration_since(Instant::now());
                    let waited = filled.wait_timeout_while(queue, wait, idle);
                    let (queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                    if waited.timed_out() {
                        return Wishes { reopen: false, close: false };
                    }
                    queue
                }
            };
            let gathers = |queue: &mut Queue| queue.lines.len() < HASTE_BYTES && !is_called(queue);
            (queue, _) = filled
                .wait_timeout_while(queue, GATHERING, gathers)
                .unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut queue.lines, &mut self.taken);
        } else {
            (queue, _) = filled
                .wait_timeout_while(queue, pause, |queue| !is_called(queue))
                .unwrap_or_else(PoisonError::into_inner);
        }
        Wishes { reopen: mem::take(&mut queue.wants_reopening), close: queue.is_closing }
    }

    /// Writes what was taken, as far as the destination takes it.
    fn write(&mut self) -> Result<(), Trouble> {
        self.destination
            .write(&self.taken, &mut self.written)
            .map_err(|error| Trouble { doing: "write to", error })?;
        self.written = 0;
        self.taken.clear();
        self.taken.shrink_to(KEPT_BYTES);
        Ok(())
    }

    /// Opens the file anew. The rest of a line whose beginning is in the old one has no place in it.
    fn reopen(&mut self) -> Result<(), Trouble> {
        let Destination::File { path, file } = &mut self.destination else { return Ok(()) };
        *file = open_for_append(path).map_err(|error| Trouble { doing: "reopen", error })?;
        let rest = rest_of_line(&self.taken, self.written);
        self.shared.count_dropped(rest);
        self.written += rest.len();
        Ok(())
    }

    /// When a loss is to be told of which no warning has told; `None` where there is none.
    fn next_warning(&self) -> Option<Instant> {
        let has_unreported = self.shared.dropped.load(Ordering::Relaxed) != self.reported;
        has_unreported.then(|| self.warnings.next().unwrap_or_else(Instant::now))
    }

    /// Says how many lines were lost in all, unless it was said.
    fn warn_at_the_end(&self) {
        let lost = self.shared.dropped.load(Ordering::Relaxed);
        if lost != self.reported {
            log::warn!("the log {} has lost {lost} lines in all", self.name);
        }
    }

    /// Says at most once a minute that lines are lost or held up. The warning may come into this very
    /// sink, so the queue must not be locked here.
    fn warn(&mut self, trouble: Option<&Trouble>) {
        let trouble = trouble.filter(|trouble| !trouble.is_transient());
        let lost = self.shared.dropped.load(Ordering::Relaxed);
        let is_silent = trouble.is_none() && lost == self.reported;
        if is_silent || !self.warnings.permits(Instant::now()) {
            return;
        }
        let name = &self.name;
        match trouble {
            Some(Trouble { doing, error }) => {
                log::warn!("cannot {doing} the log {name}: {error} ({lost} lines lost so far)");
            }
            None => log::warn!("the log {name} takes lines too slowly: {lost} lost so far"),
        }
        self.reported = lost;
    }
}

impl Trouble {
    fn is_transient(&self) -> bool {
        self.error.kind() == io::ErrorKind::WouldBlock
    }
}

impl Destination {
    /// Writes all from `written` on, which moves along.
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

/// Opens without waiting for the other end of a FIFO, which is an error where there is none.
pub(super) fn open_for_append(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().append(true).create(true).custom_flags(nonblocking).open(path)?;
    // From here on it is the writer who waits.
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

/// What is left of the line that `written` bytes end in the middle of.
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

    /// Keeps what is logged while these tests run.
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
        /// Those about one log, of which there is to be one.
        fn about(&self, name: &str) -> Vec<String> {
            let begun = Instant::now();
            loop {
                let warnings = self.0.lock().unwrap().clone();
                let about = warnings.into_iter().filter(|warning| warning.contains(name));
                let about: Vec<_> = about.collect();
                if !about.is_empty() {
                    return about;
                }
                assert!(begun.elapsed() < Duration::from_secs(20), "nothing is told of {name}");
                thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// A writer that has told of two lost lines, and has lost a third one since. Its next warning is due
    /// after this time.
    fn start_writer(name: &str, due_in: Duration) -> LogSink {
        // Whichever test is first.
        if log::set_logger(&WARNINGS).is_ok() {
            log::set_max_level(LevelFilter::Warn);
        }
        let shared = Arc::<Shared>::default();
        shared.dropped.store(3, Ordering::Relaxed);
        let destination = Destination::Stream(Box::new(io::sink()));
        let mut writer = Writer::new(Arc::clone(&shared), name.to_owned(), destination);
        writer.reported = 2;
        writer.warnings = Throttle::new(due_in);
        assert!(writer.warnings.permits(Instant::now()));
        thread::spawn(move || writer.run());
        LogSink { handle: LogHandle { shared } }
    }

    #[test]
    fn lost_lines_are_told_of_when_a_warning_is_due_although_no_line_comes() {
        const NAME: &str = "idle while a warning is due";
        let begun = Instant::now();
        let _sink = start_writer(NAME, Duration::from_millis(200));
        let told = format!("the log {NAME} takes lines too slowly: 3 lost so far");
        assert_eq!(WARNINGS.about(NAME), [told]);
        assert!(begun.elapsed() >= Duration::from_millis(200), "a minute had not passed");
    }

    #[test]
    fn lost_lines_are_told_of_at_the_end_where_no_warning_was_due() {
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
