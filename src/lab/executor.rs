//! Runs the client as an [`Executor`]: each run starts without connections, and all runs are alike.
//!
//! No run benefits from an earlier one: connections and resolved names are kept only within a run, and the
//! files of a run are removed before the next, because replacing a file can be slower than creating it
//! (ext4 first writes the new one to the disk). All bodies are hashed in all runs, so that their equality
//! can be checked.

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
use super::processor::{CpuTicks, own_cpu};
use crate::client::{
    Algorithm, Destination, ExistingFile, Hashing, Job, Outcome, OutputDirectory, PartialFile,
    Phases, Retrieval, Run, Saved, Settings, Silent, Stop, download, error_chain, redacted_url,
};

/// The pause between two runs. Without it, servers could still count connections of the last run.
const RUN_PAUSE: Duration = Duration::from_millis(50);

/// Fetches the same jobs in every run.
#[derive(Debug)]
pub struct DownloadExecutor<'a> {
    jobs: &'a [Job],
    urls: Vec<Arc<str>>,
    directory: &'a OutputDirectory,
    settings: Settings,
    deadline: Option<Instant>,
    stop: &'a Stop,
    /// The files of the last run.
    saved: Vec<PathBuf>,
    /// The values of `Server` in all runs.
    servers: BTreeSet<String>,
    /// Whether a run was made.
    has_run: bool,
}

impl<'a> DownloadExecutor<'a> {
    /// Each run sets its own concurrency. The total timeout of the settings applies to all runs together,
    /// from now on. Settings by which a run could benefit from an earlier one are overridden.
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
        Self { jobs, urls, directory, settings, deadline, stop, saved, servers, has_run: false }
    }

    /// The distinct values of `Server` that were received so far.
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        self.servers.iter().cloned().collect()
    }

    /// The proxies through which the jobs are fetched, without passwords.
    #[must_use]
    pub fn proxies(&self) -> Vec<String> {
        let of_job = |job: &Job| self.settings.proxies.for_url(&job.url).ok().flatten();
        let proxies = self.jobs.iter().filter_map(of_job);
        let names = proxies.map(|proxy| redacted_url(&proxy.url).into_owned());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn record(&self, concurrency: usize, run: Run) -> RunRecord {
        let fetches = self.urls.iter().zip(&run.outcomes).map(|(url, outcome)| fetch(url, outcome));
        let host_limits = run.limits;
        RunRecord { host_limits, ..RunRecord::new(concurrency, run.wall, fetches.collect()) }
    }

    /// The record of a run that could not start: every fetch failed.
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
        RunRecord::new(concurrency, Duration::ZERO, fetches.collect())
    }
}

impl Executor for DownloadExecutor<'_> {
    fn run(&mut self, concurrency: usize) -> RunRecord {
        if self.has_run {
            thread::sleep(RUN_PAUSE);
        }
        for path in self.saved.drain(..) {
            // A file that cannot be removed is replaced by the run.
            let _ = fs::remove_file(path);
        }
        self.settings.concurrency = NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN);
        self.settings.timeouts.total =
            self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let (ticks_before, own_before) = (CpuTicks::now(), own_cpu());
        let mut run = match download(self.jobs, self.directory, &self.settings, self.stop, &Silent)
        {
            Ok(run) => {
                if self.settings.saving.destination == Destination::File {
                    let saved = run.outcomes.iter().flat_map(|outcome| &outcome.result);
                    self.saved.extend(saved.map(|saved| saved.path.clone()));
                }
                self.servers.extend(run.servers.iter().cloned());
                self.record(concurrency, run)
            }
            Err(error) => self.unstarted(concurrency, &error),
        };
        run.own_cpu = own_before.zip(own_cpu()).map(|(before, now)| now.saturating_sub(before));
        run.machine_cpu =
            ticks_before.zip(CpuTicks::now()).and_then(|(before, now)| now.since(before));
        self.has_run = true;
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
