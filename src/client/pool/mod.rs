//! The bounded pool: so many threads, one queue of jobs, results in the order of the jobs.
//!
//! A worker makes one attempt at a job and then takes the next whose turn it is, so that there are no
//! more attempts at a time than there are workers, and neither a slow host nor a job that rests before
//! its next attempt holds up another. A job has attempts for as long as `retry` lets it; how one is made
//! is the business of `fetch`. A further thread watches for the end.

mod address_space;
mod descriptors;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime};
use std::{error, fmt, io, panic};

use super::error::FetchError;
use super::observer::Observer;
use super::retry::{FailedAttempt, RetryState};
use super::settings::Settings;
use super::stop::{Stop, StopReason};
use crate::client::fetch::coding::decoder_slots::DecoderSlots;
use crate::client::fetch::exchange::{Exchanger, Network};
use crate::client::fetch::fetcher::{Fetcher, Record, Work};
use crate::client::fetch::split::split_files::SplitFiles;
use crate::client::hosts::gate::{Assignment, GateLimits, HostGates};
use crate::client::hosts::host::key_of;
use crate::client::hosts::queue::Queue;
use crate::client::plan::job::Job;
use crate::client::results::outcome::{Outcome, Run, Saved};
use crate::client::store::directory::OutputDirectory;
use crate::client::store::final_name::FinalNames;
use crate::client::transport::connect::Connector;
use address_space::Bearable;

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
    let useful = jobs.len().saturating_mul(settings.split.get());
    let size = descriptors::bearable(settings.concurrency.get().min(useful));
    let Bearable { workers: size, decoders } = address_space::bearable(size);
    let per_host = settings.per_host.map_or(size, |most| most.get().min(size));
    let network = Network {
        connector: Connector::new(
            settings.timeouts,
            settings.trust.clone(),
            settings.proxies.clone(),
            stop.clone(),
        ),
        gates: HostGates::new(
            Queue::new(jobs.iter().map(|job| key_of(&job.url).into()), size),
            GateLimits {
                per_host,
                ramp_up: settings.ramp_up,
                idle: size,
                max_wait: settings.retry.max_wait,
            },
            stop.clone(),
        ),
        fields: settings.fields.clone(),
        decoders: DecoderSlots::new(decoders, stop.clone()),
    };
    let names = FinalNames::new(jobs, directory, settings.saving);
    let work = Work { settings, directory, names, splits: SplitFiles::new(jobs.len()), observer };
    let shared =
        &Shared { resting: Mutex::default(), jobs, network: &network, work: &work, stop, begun };
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
    let (limits, servers) = (network.gates.learnt_limits(), network.gates.servers());
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
    /// The jobs that are to be tried again.
    resting: Mutex<HashMap<usize, Attempts>>,
    jobs: &'r [Job],
    network: &'r Network,
    work: &'r Work<'r>,
    stop: &'r Stop,
    begun: Instant,
}

/// The attempts at one job so far.
struct Attempts {
    taken_up: Instant,
    record: Record,
    tries: RetryState,
    count: u32,
    rejections: u32,
    resting_since: Option<Instant>,
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

    /// The life of one worker: attempt after attempt, until none is to be made.
    fn work(&self, worker: usize) -> Vec<Indexed> {
        let mut fetcher = Fetcher { exchanger: Exchanger::new(self.network), work: self.work };
        let mut outcomes = Vec::new();
        while let Some(assignment) = self.network.gates.next_assignment() {
            let Assignment { ticket, admission } = assignment;
            let index = ticket.index;
            let mut attempts = self.take_up(index);
            fetcher.exchanger.admission = admission;
            let attempted = self.attempt(&mut fetcher, index, &mut attempts);
            fetcher.exchanger.give_back();
            match attempted {
                Attempted::Again(wait) => {
                    let now = Instant::now();
                    attempts.resting_since = Some(now);
                    self.lock().insert(index, attempts);
                    self.network.gates.delay(&ticket, now + wait);
                }
                Attempted::Done(result) => {
                    if result.is_err() {
                        fetcher.abandon(index);
                    }
                    let outcome = attempts.outcome(result, worker);
                    self.work.observer.finished(index, &outcome);
                    self.work.splits.job_is_done();
                    self.network.gates.finish(&ticket);
                    outcomes.push((index, outcome));
                }
            }
        }
        if self.work.settings.split.get() > 1 {
            while let Some(split) = self.work.splits.next_to_help() {
                fetcher.help(&self.jobs[split.index], &split);
            }
        }
        outcomes
    }

    /// The attempts at a job whose turn it is.
    fn take_up(&self, index: usize) -> Attempts {
        let now = Instant::now();
        if let Some(mut attempts) = self.lock().remove(&index) {
            attempts.record.phases.waiting += now - attempts.resting_since.unwrap_or(now);
            return attempts;
        }
        let mut record = Record::default();
        record.phases.queue = now.duration_since(self.begun);
        let (tries, count, rejections, resting_since) = (RetryState::default(), 0, 0, None);
        Attempts { taken_up: now, record, tries, count, rejections, resting_since }
    }

    /// Makes one attempt, unless the run has ended.
    fn attempt(
        &self,
        fetcher: &mut Fetcher<'r>,
        index: usize,
        attempts: &mut Attempts,
    ) -> Attempted {
        if let Some(reason) = self.stop.reason() {
            return Attempted::Done(Err(reason.into()));
        }
        let (job, gates) = (&self.jobs[index], &self.network.gates);
        if attempts.count == 0 {
            self.work.observer.started(index);
        }
        attempts.count += 1;
        let finished = gates.finished(&job.url);
        let error = match fetcher.fetch(index, job, &mut attempts.record) {
            Ok(saved) => return Attempted::Done(Ok(saved)),
            Err(error) => error,
        };
        if let Some(reason) = self.stop.reason() {
            return Attempted::Done(Err(reason.into()));
        }
        attempts.rejections += u32::from(error.is_rejection());
        if !error.is_transient() {
            return Attempted::Done(Err(error));
        }
        let failed = FailedAttempt {
            furthest_bytes: attempts.record.furthest_bytes,
            was_crowded_out: error.is_rejection() && gates.finished(&job.url) > finished,
        };
        let policy = &self.work.settings.retry;
        let Some(wait) = attempts.tries.after(failed, policy, fastrand::f64()) else {
            return Attempted::Done(Err(error));
        };
        let wait = match error {
            // The gate of the host keeps to what a rejection asks for.
            FetchError::Status { retry_after: Some(at_least), .. } if !error.is_rejection() => {
                wait.max(at_least)
            }
            _ => wait,
        };
        self.work.observer.retrying(index, &error, wait);
        Attempted::Again(wait)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Attempts>> {
        self.resting.lock().expect("nothing panics while the resting jobs are locked")
    }
}

/// What came of an attempt.
enum Attempted {
    Done(Result<Saved, FetchError>),
    /// It failed, and another one is to be made after so long.
    Again(Duration),
}

impl Attempts {
    fn outcome(self, result: Result<Saved, FetchError>, worker: usize) -> Outcome {
        let Record { phases, redirected_to, received, .. } = self.record;
        Outcome {
            result,
            redirected_to,
            worker,
            took: self.taken_up.elapsed(),
            phases,
            attempts: self.count,
            rejections: self.rejections,
            received,
        }
    }
}
