//! The display of a run: a bar for the whole run, one per transfer, and messages above them. Bars are drawn
//! only on a terminal; elsewhere messages are plain lines.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_concurrent::client::{FetchError, Job, Observer, Outcome, error_chain, redacted_url};
use http_concurrent::lock::lock;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::quantity::{Bytes, Rate};
use crate::report;

/// Interval at which the overall figures change, and at which an idle display is redrawn.
const REFRESH: Duration = Duration::from_millis(100);

/// The destination of messages and bars.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    bars: Option<MultiProgress>,
}

impl Screen {
    /// With bars if standard error is a terminal, unless quiet.
    pub(crate) fn new(is_quiet: bool) -> Self {
        let has_bars = !is_quiet && io::stderr().is_terminal();
        Self { bars: has_bars.then(MultiProgress::new) }
    }
}

/// Writes whole lines above the bars.
impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.bars {
            // `suspend` would panic if the terminal has hung up.
            Some(bars) => {
                bars.println(String::from_utf8_lossy(bytes).trim_end_matches('\n'))?;
                Ok(bytes.len())
            }
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows the progress of a run.
pub(crate) struct Progress<'j> {
    jobs: &'j [Job],
    bars: Option<Bars>,
}

struct Bars {
    multi: MultiProgress,
    all: ProgressBar,
    active: Mutex<HashMap<usize, ProgressBar>>,
    received: AtomicU64,
    started_at: Instant,
    refreshed: Mutex<Instant>,
}

impl<'j> Progress<'j> {
    pub(crate) fn new(jobs: &'j [Job], screen: &Screen) -> Self {
        let bars = screen.bars.clone().map(|multi| {
            let all = multi.add(ProgressBar::new(jobs.len() as u64));
            all.set_style(style("{wide_bar} {pos}/{len} files{msg}, {eta} left"));
            // Updates are not drawn each time, so that the last one may still be pending.
            all.enable_steady_tick(REFRESH);
            Bars {
                multi,
                all,
                active: Mutex::default(),
                received: AtomicU64::new(0),
                started_at: Instant::now(),
                refreshed: Mutex::new(Instant::now()),
            }
        });
        Self { jobs, bars }
    }

    /// Removes the bars.
    pub(crate) fn end(&self) {
        if let Some(bars) = &self.bars {
            bars.all.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants")
}

impl Bars {
    fn begin(&self, job: &Job, index: usize, bytes: Option<u64>, already: u64) {
        let bar = match bytes {
            Some(bytes) => ProgressBar::new(bytes).with_style(style(
                "{prefix:32!} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}",
            )),
            None => ProgressBar::no_length()
                .with_style(style("{prefix:32!} {binary_bytes} {binary_bytes_per_sec}")),
        };
        let bar = self.multi.insert_before(&self.all, bar.with_position(already));
        bar.set_prefix(job.file_name.clone());
        if let Some(older) = lock(&self.active).insert(index, bar) {
            older.finish_and_clear();
        }
    }

    fn advance(&self, index: usize, bytes: usize) {
        if let Some(bar) = lock(&self.active).get(&index) {
            bar.inc(bytes as u64);
        }
        let received = self.received.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let mut refreshed = lock(&self.refreshed);
        if refreshed.elapsed() >= REFRESH {
            *refreshed = Instant::now();
            let rate = Rate { bytes: received, time: self.started_at.elapsed() };
            self.all.set_message(format!(", {}, {rate}", Bytes(received)));
        }
    }

    fn end(&self, index: usize) {
        if let Some(bar) = lock(&self.active).remove(&index) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }
}

impl Observer for Progress<'_> {
    fn content_started(&self, job: usize, bytes: Option<u64>, already: u64) {
        if let Some(bars) = &self.bars {
            bars.begin(&self.jobs[job], job, bytes, already);
        }
    }

    fn received(&self, job: usize, bytes: usize) {
        if let Some(bars) = &self.bars {
            bars.advance(job, bytes);
        }
    }

    fn retrying(&self, job: usize, error: &FetchError, wait: Duration) {
        if let Some(bars) = &self.bars {
            bars.end(job);
        }
        let error = error_chain(error);
        log::info!("{}: {error}; retrying in {wait:.1?}", redacted_url(&self.jobs[job].url));
    }

    fn finished(&self, job: usize, outcome: &Outcome) {
        if let Some(bars) = &self.bars {
            bars.end(job);
            bars.all.inc(1);
        }
        let url = redacted_url(&self.jobs[job].url);
        match report::describe_failure(outcome) {
            // Stopped URLs are not errors, and there may be thousands.
            Some(_) if matches!(outcome.result, Err(FetchError::Stopped(_))) => {}
            Some(failure) => log::error!("{url}: {failure}"),
            None => log::info!("{url}: done"),
        }
    }
}
