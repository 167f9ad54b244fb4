//! The bounded pool: so many threads, one queue of jobs, results in the order of the jobs.
//!
//! A worker takes the next job when it is done with the last, so that no more fetches are under way
//! than there are workers, and a slow one holds up nobody else. How a job is fetched is the business
//! of `fetch`.

use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};
use std::{error, fmt, io};

use super::connect::Connector;
use super::fetch::{Attempt, Fetcher, Listener, Network};
use super::kept::KeptConnections;
use super::{Job, Outcome, OutputDirectory, Run};

/// How a run is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most fetches, and connections in use, at a time.
    pub concurrency: NonZeroUsize,
    /// For connecting, and then for each read and write; not zero.
    pub timeout: Duration,
}

/// Five connections, thirty seconds.
impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(5).expect("five is not zero"),
            timeout: Duration::from_secs(30),
        }
    }
}

/// Is told how a run goes, by all workers at once. Jobs are named by their position.
pub trait Observer: Sync {
    /// A worker has taken the job up.
    fn started(&self, _job: usize) {}

    /// Its content begins to come, of this length where the server says it.
    fn began(&self, _job: usize, _bytes: Option<u64>) {}

    /// So many more bytes of it have come.
    fn received(&self, _job: usize, _bytes: usize) {}

    /// The job is done, one way or the other.
    fn finished(&self, _job: usize, _outcome: &Outcome) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

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
/// all are done.
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
    observer: &dyn Observer,
) -> Result<Run, StartError> {
    let begun = Instant::now();
    let size = settings.concurrency.get().min(jobs.len());
    let network = Network {
        connector: Connector::new(settings.timeout),
        kept: KeptConnections::new(settings.concurrency.get()),
    };
    let shared =
        &Shared { queue: Queue::default(), jobs, directory, network: &network, observer, begun };
    let (workers, mut outcomes) = thread::scope(|scope| {
        let mut threads = Vec::with_capacity(size);
        for worker in 0..size {
            let spawned = thread::Builder::new()
                .name(format!("fetch-{worker}"))
                .spawn_scoped(scope, move || shared.work(worker));
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) if threads.is_empty() => return Err(StartError::Thread(error)),
                Err(error) => {
                    log::warn!("only {worker} of {size} threads could be started: {error}");
                    break;
                }
            }
        }
        Ok((threads.len(), collect(threads)))
    })?;
    let wall = begun.elapsed();
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    Ok(Run { outcomes, workers, wall })
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
    directory: &'r OutputDirectory,
    network: &'r Network,
    observer: &'r dyn Observer,
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

impl Shared<'_> {
    /// The life of one worker: job after job, until none is left.
    fn work(&self, worker: usize) -> Vec<Indexed> {
        let mut fetcher = Fetcher::new(self.network);
        let mut outcomes = Vec::new();
        while let Some(index) = self.queue.take(self.jobs) {
            let outcome = self.fetch(&mut fetcher, index, worker);
            self.observer.finished(index, &outcome);
            outcomes.push((index, outcome));
        }
        outcomes
    }

    fn fetch(&self, fetcher: &mut Fetcher<'_>, index: usize, worker: usize) -> Outcome {
        self.observer.started(index);
        let taken_up = Instant::now();
        let mut attempt = Attempt::default();
        attempt.phases.queue = taken_up.duration_since(self.begun);
        let listener = Listener { observer: self.observer, index };
        let result = fetcher.fetch(&self.jobs[index], self.directory, &mut attempt, listener);
        let Attempt { phases, redirected_to } = attempt;
        Outcome { result, redirected_to, worker, took: taken_up.elapsed(), phases }
    }
}
