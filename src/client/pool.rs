//! The bounded pool: so many threads, one queue of jobs, results in the order of the jobs.
//!
//! A worker takes the next job when it is done with the last, so that no more fetches are under way
//! than there are workers, and a slow one holds up nobody else. It tries its job for as long as `retry`
//! lets it; how an attempt is made is the business of `fetch`. A further thread watches for the end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime};
use std::{error, fmt, io, panic};

use super::connect::Connector;
use super::exchange::{Exchanger, Network};
use super::fetch::{Fetcher, Record, Work};
use super::host_gate::HostGates;
use super::naming::FinalNames;
use super::retry::{Failed, Tries};
use super::split_files::SplitFiles;
use super::{
    FetchError, Job, Observer, Outcome, OutputDirectory, Run, Saved, Settings, Stop, StopReason,
};

/// Address space for each worker's stack. The C library keeps the stacks of ended threads for new ones up
/// to 40 MiB in all (glibc's `pthread_create`), and at the usual 2 MiB each those are soon used up.
const STACK_BYTES: usize = 512 * 1024;

/// Why nothing could be fetched.
#[derive(Debug)]
pub enum StartError {
    /// Not one thread could be started.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread(_) => f.write_str("cannot start a thread"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
        }
    }
}

/// Fetches all jobs into the directory, with a thread for each up to the concurrency, and returns when
/// all are done or `stop` says so.
///
/// Connections and looked-up names are shared by the workers, and given up at the end: runs do not
/// profit from one another.
///
/// # Errors
/// No thread could be started. That URLs fail is no error but their outcome.
pub fn download(
    jobs: &[Job],
    directory: &OutputDirectory,
    settings: &Settings,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<Run, StartError> {
    let (begun, started) = (Instant::now(), SystemTime::now());
    let concurrency = settings.concurrency.get();
    let size = concurrency.min(jobs.len().saturating_mul(settings.split.get()));
    let per_host = settings.per_host.map_or(concurrency, |most| most.get().min(concurrency));
    let network = Network {
        connector: Connector::new(
            settings.timeouts,
            settings.trust.clone(),
            settings.proxies.clone(),
            stop.clone(),
        ),
        gates: HostGates::new(per_host, settings.opening, concurrency, stop.clone()),
        fields: settings.fields.clone(),
        max_wait: settings.retry.max_wait,
    };
    let names = FinalNames::new(jobs, directory, settings.saving);
    let work = Work { settings, directory, names, splits: SplitFiles::default(), observer };
    let shared =
        &Shared { queue: Queue::default(), jobs, network: &network, work: &work, stop, begun };
    let is_done = &AtomicBool::new(false);
    let (workers, mut outcomes) = thread::scope(|scope| {
        let deadline = settings.timeouts.total.map(|total| begun + total);
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn_scoped(scope, move || shared.watch(deadline, is_done))
            .map_err(StartError::Thread)?;
        let started = shared.start(scope, size);
        let result = started.map(|threads| (threads.len(), collect(threads)));
        is_done.store(true, Ordering::SeqCst);
        stop.wake();
        result
    })?;
    let wall = begun.elapsed();
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    let (limits, servers) = (network.gates.learnt(), network.gates.servers());
    Ok(Run { outcomes, workers, wall, started, limits, servers })
}

type Indexed = (usize, Outcome);

fn collect(threads: Vec<ScopedJoinHandle<'_, Vec<Indexed>>>) -> Vec<Indexed> {
    threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
        .collect()
}

/// What the workers of a run have in common.
struct Shared<'r> {
    queue: Queue,
    jobs: &'r [Job],
    network: &'r Network,
    work: &'r Work<'r>,
    stop: &'r Stop,
    begun: Instant,
}

/// Whose turn it is.
#[derive(Debug, Default)]
struct Queue {
    next: AtomicUsize,
}

impl Queue {
    /// The index of the next job, which no other worker gets.
    fn take(&self, jobs: &[Job]) -> Option<usize> {
        // Nothing but the number itself is passed on, so no order beyond its own is needed.
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < jobs.len()).then_some(index)
    }
}

impl<'r> Shared<'r> {
    fn start<'s>(
        &'s self,
        scope: &'s thread::Scope<'s, '_>,
        size: usize,
    ) -> Result<Vec<ScopedJoinHandle<'s, Vec<Indexed>>>, StartError> {
        let mut threads = Vec::with_capacity(size);
        for worker in 0..size {
            let spawned = thread::Builder::new()
                .name(format!("fetch-{worker}"))
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, move || self.work(worker));
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) if threads.is_empty() => return Err(StartError::Thread(error)),
                Err(error) => {
                    log::warn!("only {worker} of {size} threads could be started: {error}");
                    break;
                }
            }
        }
        Ok(threads)
    }

    /// Ends the run when its time is over, and has all who wait notice that it ends.
    fn watch(&self, deadline: Option<Instant>, is_done: &AtomicBool) {
        if !self.stop.wait_until(deadline, || is_done.load(Ordering::SeqCst)) {
            self.stop.stop(StopReason::OutOfTime);
        }
        self.network.gates.wake();
    }

    /// The life of one worker: job after job, until none is left.
    fn work(&self, worker: usize) -> Vec<Indexed> {
        let mut fetcher = Fetcher { exchanger: Exchanger::new(self.network), work: self.work };
        let mut outcomes = Vec::new();
        while let Some(index) = self.queue.take(self.jobs) {
            let outcome = self.fetch(&mut fetcher, index, worker);
            if outcome.result.is_err() {
                fetcher.abandon(index);
            }
            self.work.observer.finished(index, &outcome);
            self.work.splits.job_is_done();
            outcomes.push((index, outcome));
        }
        if self.work.settings.split.get() > 1 {
            while let Some(split) = self.work.splits.next_to_help(self.jobs.len()) {
                fetcher.help(&self.jobs[split.index], &split);
            }
        }
        outcomes
    }

    fn fetch(&self, fetcher: &mut Fetcher<'r>, index: usize, worker: usize) -> Outcome {
        let taken_up = Instant::now();
        let mut record = Record::default();
        record.phases.queue = taken_up.duration_since(self.begun);
        let (result, attempts, rejections) = if let Some(reason) = self.stop.reason() {
            (Err(reason.into()), 0, 0)
        } else {
            self.work.observer.started(index);
            self.try_until_done(fetcher, index, &mut record)
        };
        let Record { phases, redirected_to, received, .. } = record;
        let took = taken_up.elapsed();
        Outcome { result, redirected_to, worker, took, phases, attempts, rejections, received }
    }

    /// Makes one attempt after the other; the result of the last, their number, and how many of them
    /// were turned away.
    fn try_until_done(
        &self,
        fetcher: &mut Fetcher<'r>,
        index: usize,
        record: &mut Record,
    ) -> (Result<Saved, FetchError>, u32, u32) {
        let (job, policy) = (&self.jobs[index], &self.work.settings.retry);
        let (mut attempts, mut rejections, mut tries) = (0, 0, Tries::default());
        loop {
            attempts += 1;
            record.progress = 0;
            let answers = self.network.gates.answers(&job.url);
            let error = match fetcher.fetch(index, job, record) {
                Ok(saved) => return (Ok(saved), attempts, rejections),
                Err(error) => error,
            };
            if let Some(reason) = self.stop.reason() {
                return (Err(reason.into()), attempts, rejections);
            }
            rejections += u32::from(error.is_rejection());
            let failed = Failed {
                progress_bytes: record.progress,
                was_crowded_out: error.is_rejection()
                    && self.network.gates.answers(&job.url) > answers,
            };
            let wait = error
                .is_transient()
                .then(|| tries.after(failed, policy, fastrand::f64()))
                .flatten();
            let Some(wait) = wait else { return (Err(error), attempts, rejections) };
            self.work.observer.retrying(index, &error, wait);
            self.rest(wait, record);
        }
    }

    fn rest(&self, wait: Duration, record: &mut Record) {
        let begun = Instant::now();
        self.stop.sleep(wait);
        record.phases.waiting += begun.elapsed();
    }
}
