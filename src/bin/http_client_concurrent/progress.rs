//! What a person sees while a run goes on: a bar for all of it, one for each transfer, messages above.
//!
//! Bars are drawn on a terminal alone and vanish when they are done; anywhere else there are only the
//! messages, as plain lines.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_concurrent::client::{FetchError, Job, Observer, Outcome, error_chain, redacted_url};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::quantity::{Bytes, Rate};
use crate::report;

/// How often the figures beside the bar of all change, and all is drawn where nothing happens.
const REFRESH: Duration = Duration::from_millis(100);

/// Where messages and bars go.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    bars: Option<MultiProgress>,
}

impl Screen {
    /// Bars on a terminal, unless nothing is to be seen.
    pub(crate) fn new(is_quiet: bool) -> Self {
        let has_bars = !is_quiet && io::stderr().is_terminal();
        Self { bars: has_bars.then(MultiProgress::new) }
    }
}

/// Writes whole lines above the bars.
impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.bars {
            // `suspend` would panic on a terminal that has hung up.
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

/// Shows a run.
pub(crate) struct Progress<'j> {
    jobs: &'j [Job],
    bars: Option<Bars>,
}

struct Bars {
    multi: MultiProgress,
    all: ProgressBar,
    active: Mutex<HashMap<usize, ProgressBar>>,
    received: AtomicU64,
    begun: Instant,
    refreshed: Mutex<Instant>,
}

impl<'j> Progress<'j> {
    pub(crate) fn new(jobs: &'j [Job], screen: &Screen) -> Self {
        let bars = screen.bars.clone().map(|multi| {
            let all = multi.add(ProgressBar::new(jobs.len() as u64));
            all.set_style(style("{wide_bar} {pos}/{len} files{msg}, {eta} left"));
            // What changed last may not have been drawn yet, since that is not done each time.
            all.enable_steady_tick(REFRESH);
            Bars {
                multi,
                all,
                active: Mutex::default(),
                received: AtomicU64::new(0),
                begun: Instant::now(),
                refreshed: Mutex::new(Instant::now()),
            }
        });
        Self { jobs, bars }
    }

    /// Takes the bars away.
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
        if let Some(older) = self.lock().insert(index, bar) {
            older.finish_and_clear();
        }
    }

    fn advance(&self, index: usize, bytes: usize) {
        if let Some(bar) = self.lock().get(&index) {
            bar.inc(bytes as u64);
        }
        let received = self.received.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let mut refreshed = self.refreshed.lock().expect("nothing panics meanwhile");
        if refreshed.elapsed() >= REFRESH {
            *refreshed = Instant::now();
            let rate = Rate(received, self.begun.elapsed());
            self.all.set_message(format!(", {}, {rate}", Bytes(received)));
        }
    }

    fn end(&self, index: usize) {
        if let Some(bar) = self.lock().remove(&index) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<usize, ProgressBar>> {
        self.active.lock().expect("nothing panics while the bars are locked")
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
        log::info!("{}: {error}; tried again in {wait:.1?}", redacted_url(&self.jobs[job].url));
    }

    fn finished(&self, job: usize, outcome: &Outcome) {
        if let Some(bars) = &self.bars {
            bars.end(job);
            bars.all.inc(1);
        }
        let url = redacted_url(&self.jobs[job].url);
        match report::describe_failure(outcome) {
            // Nothing is wrong with those, and there may be thousands.
            Some(_) if matches!(outcome.result, Err(FetchError::Stopped(_))) => {}
            Some(failure) => log::error!("{url}: {failure}"),
            None => log::info!("{url}: done"),
        }
    }
}
