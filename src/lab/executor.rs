//! The downloader as the laboratory runs it: every run from cold, and every run alike.
//!
//! No run profits from another: connections and looked-up names live as long as a run does, and the files
//! of the last run are removed before the next one, since replacing a file can cost more than making it
//! (ext4 writes the new one to the disk first). Every body is hashed, in all runs, so that the comparison can
//! tell that they were the same. What is recorded is what the downloader's outcomes say.
//!
//! One thing is carried over from the first run, which is the warm-up: if no host refused anything in it,
//! the runs after it open their connections at once. Finding out what a host bears takes round trips
//! that belong to the first meeting, not to the speed of so many connections.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::experiment::Executor;
use super::measurement::{Ending, FetchRecord, RunRecord};
use super::processor::Ticks;
use crate::client::{
    Algorithm, Destination, ExistingFile, Hashing, Job, Outcome, OutputDirectory, PartialFile,
    Phases, RampUp, Retrieval, Run, Saved, Settings, Silent, Stop, download, error_chain,
    redacted_url,
};

/// Between two runs, so that servers have noticed the end of the last one's connections, and do not
/// count them together with those of the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Fetches the same jobs again and again.
#[derive(Debug)]
pub struct Downloads<'a> {
    jobs: &'a [Job],
    urls: Vec<Arc<str>>,
    directory: &'a OutputDirectory,
    settings: Settings,
    deadline: Option<Instant>,
    stop: &'a Stop,
    /// The files of the last run.
    saved: Vec<PathBuf>,
    /// What the servers called themselves in any run.
    servers: BTreeSet<String>,
    /// Whether there was a run, and how many connections were open at once in it without a refusal.
    borne: Option<usize>,
}

impl<'a> Downloads<'a> {
    /// Of the settings, the concurrency is each run's own, the total time is that of all runs
    /// together from now on, and what would have one run profit from another is overruled.
    #[must_use]
    pub fn new(
        jobs: &'a [Job],
        directory: &'a OutputDirectory,
        mut settings: Settings,
        stop: &'a Stop,
    ) -> Self {
        settings.split = NonZeroUsize::MIN;
        settings.saving.existing = ExistingFile::Replace;
        settings.saving.partial = PartialFile::Discard;
        settings.saving.hashing = Hashing::Sha256;
        let deadline = settings.timeouts.total.map(|total| Instant::now() + total);
        let urls = jobs.iter().map(|job| Arc::from(&*redacted_url(&job.url))).collect();
        let (saved, servers) = (Vec::new(), BTreeSet::new());
        Self { jobs, urls, directory, settings, deadline, stop, saved, servers, borne: None }
    }

    /// What the servers called themselves until now, each name once.
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        self.servers.iter().cloned().collect()
    }

    fn record(&self, concurrency: usize, run: &Run, processor_busy: Option<f64>) -> RunRecord {
        let fetches = self.urls.iter().zip(&run.outcomes).map(|(url, outcome)| fetch(url, outcome));
        RunRecord {
            concurrency,
            wall: run.wall,
            fetches: fetches.collect(),
            host_limit: run
                .limits
                .iter()
                .map(|limit| limit.connections)
                .filter(|limit| *limit < run.workers)
                .min(),
            processor_busy,
        }
    }

    /// A run that could not begin: every fetch failed at once.
    fn unstarted(&self, concurrency: usize, error: &dyn Error) -> RunRecord {
        let reason = error_chain(error);
        let fetches = self.urls.iter().map(|url| FetchRecord {
            url: Arc::clone(url),
            bytes: 0,
            ending: Ending::Failed(reason.clone()),
            digest: None,
            lane: 0,
            start: Duration::ZERO,
            phases: Phases::default(),
            attempts: 0,
            rejections: 0,
        });
        let (fetches, wall) = (fetches.collect(), Duration::ZERO);
        RunRecord { concurrency, wall, fetches, host_limit: None, processor_busy: None }
    }
}

impl Executor for Downloads<'_> {
    fn run(&mut self, concurrency: usize) -> RunRecord {
        if self.borne.is_some() {
            thread::sleep(PAUSE);
        }
        for path in self.saved.drain(..) {
            // One that cannot be removed is replaced.
            let _ = fs::remove_file(path);
        }
        let is_borne = self.borne.is_some_and(|most| concurrency <= most);
        self.settings.ramp_up = if is_borne { RampUp::Immediate } else { RampUp::Gradual };
        self.settings.concurrency = NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN);
        self.settings.timeouts.total =
            self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let before = Ticks::now();
        let run = match download(self.jobs, self.directory, &self.settings, self.stop, &Silent) {
            Ok(run) => {
                if self.settings.saving.destination == Destination::File {
                    let saved = run.outcomes.iter().flat_map(|outcome| &outcome.result);
                    self.saved.extend(saved.map(|saved| saved.path.clone()));
                }
                let busy =
                    before.zip(Ticks::now()).and_then(|(before, now)| now.busy_since(before));
                self.servers.extend(run.servers.iter().cloned());
                self.record(concurrency, &run, busy)
            }
            Err(error) => self.unstarted(concurrency, &error),
        };
        self.borne.get_or_insert_with(|| {
            let was_refused = run.host_limit.is_some() || run.rejections() > 0;
            if was_refused { 0 } else { concurrency }
        });
        run
    }

    fn was_interrupted(&self) -> bool {
        self.stop.reason().is_some()
    }
}

fn fetch(url: &Arc<str>, outcome: &Outcome) -> FetchRecord {
    let (bytes, ending, digest) = match &outcome.result {
        Ok(saved) => (saved.bytes, Ending::Complete(status_of(saved)), digest_of(saved)),
        Err(error) => (outcome.received, Ending::Failed(error_chain(error)), None),
    };
    let phases = outcome.phases;
    FetchRecord {
        url: Arc::clone(url),
        bytes,
        ending,
        digest,
        lane: outcome.worker,
        start: phases.queue,
        phases,
        attempts: outcome.attempts,
        rejections: outcome.rejections,
    }
}

fn status_of(saved: &Saved) -> u16 {
    match saved.retrieval {
        Retrieval::Fetched { status, .. } => status.code(),
        Retrieval::Skipped => unreachable!("files are replaced in every run"),
    }
}

fn digest_of(saved: &Saved) -> Option<String> {
    saved.checksum(Algorithm::Sha256).map(ToString::to_string)
}
