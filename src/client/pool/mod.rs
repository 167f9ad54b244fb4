//! The bounded pool: a number of threads, one queue of jobs, outcomes in the order of the jobs.
//!
//! A worker makes one attempt at a job and then takes the next job, so there are at most as many attempts
//! at a time as workers, and neither a slow host nor a delayed job holds up another. `retry` decides about
//! further attempts, and `fetch` makes them. One more thread watches the deadline.

mod address_space;
mod descriptors;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Instant, SystemTime};
use std::{io, panic};

use thiserror::Error;

use crate::client::fetch::coding::decoder_slots::DecoderSlots;
use crate::client::fetch::context::RunContext;
use crate::client::fetch::exchange::Network;
use crate::client::fetch::split::split_files::SplitFiles;
use crate::client::hosts::gate::{GateLimits, HostGates};
use crate::client::hosts::host::key_of;
use crate::client::hosts::queue::Queue;
use crate::client::observer::Observer;
use crate::client::plan::job::Job;
use crate::client::results::outcome::Run;
use crate::client::settings::{Destination, Settings};
use crate::client::stop::{Stop, StopReason};
use crate::client::store::directory::OutputDirectory;
use crate::client::store::directory_snapshot::DirectorySnapshot;
use crate::client::store::final_name::FinalNames;
use crate::client::transport::connect::Connector;
use address_space::Capacity;
use worker::Workers;

/// The stack of each worker. Glibc keeps the stacks of ended threads for new ones up to 40 MiB in all
/// (`pthread_create`), which few stacks of the usual 2 MiB would exceed.
const STACK_BYTES: usize = 512 * 1024;

/// Why a run did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// No thread could be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// Fetches all jobs into the directory, one on each thread at a time, until all are done or `stop` ends
/// the run.
///
/// Connections and resolved names are shared by the threads of this run, and not kept for another.
///
/// # Errors
/// No thread could be started. A URL that fails is no error, but an outcome.
pub fn download(
    jobs: &[Job],
    directory: &OutputDirectory,
    settings: &Settings,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<Run, StartError> {
    let started_at = Instant::now();
    let started = SystemTime::now();
    let useful = jobs.len().saturating_mul(settings.split.get());
    let wanted = descriptors::fitting_workers(settings.concurrency.get().min(useful));
    let Capacity { workers: size, decoders } = address_space::capacity(wanted);
    let network = network(jobs, settings, size, DecoderSlots::new(decoders, stop.clone()), stop);
    let directory_snapshot = &match settings.saving.destination {
        Destination::File => DirectorySnapshot::take(directory, jobs.len()),
        Destination::Discard => DirectorySnapshot::default(),
    };
    let names = FinalNames::new(jobs, directory, directory_snapshot, settings.saving);
    let splits = SplitFiles::new(jobs.len());
    let run = RunContext { settings, directory, names, directory_snapshot, splits, observer };
    let workers = &Workers::new(jobs, &network, &run, stop, started_at);
    let is_done = &AtomicBool::new(false);
    let size = thread::scope(|scope| {
        let deadline = settings.timeouts.total.map(|total| started_at + total);
        let gates = &network.gates;
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn_scoped(scope, move || watch(gates, stop, deadline, is_done))
            .map_err(StartError::Thread)?;
        let started = start(scope, workers, size);
        let result = started.map(join);
        is_done.store(true, Ordering::SeqCst);
        stop.wake();
        result
    })?;
    let wall = started_at.elapsed();
    let outcomes = workers.take_outcomes();
    let (limits, servers) = (network.gates.learnt_limits(), network.gates.servers());
    Ok(Run { outcomes, workers: size, wall, started, limits, servers })
}

/// The network access that `size` workers share.
fn network(
    jobs: &[Job],
    settings: &Settings,
    size: usize,
    decoders: DecoderSlots,
    stop: &Stop,
) -> Network {
    let limits = GateLimits {
        per_host: settings.per_host.map_or(size, |limit| limit.get().min(size)),
        idle: size,
        retry: settings.retry,
    };
    let (trust, proxies) = (settings.trust.clone(), settings.proxies.clone());
    let queue = Queue::new(jobs.iter().map(|job| key_of(&job.url).into()), size);
    Network {
        connector: Connector::new(settings.timeouts, trust, proxies, stop.clone()),
        gates: HostGates::new(queue, limits, stop.clone()),
        fields: settings.fields.clone(),
        decoders,
    }
}

type WorkerThread<'s> = ScopedJoinHandle<'s, ()>;

fn start<'s>(
    scope: &'s Scope<'s, '_>,
    workers: &'s Workers<'s>,
    size: usize,
) -> Result<Vec<WorkerThread<'s>>, StartError> {
    let mut threads = Vec::with_capacity(size);
    for number in 0..size {
        let spawned = thread::Builder::new()
            .name(format!("fetch-{number}"))
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, move || workers.work(number));
        match spawned {
            Ok(thread) => threads.push(thread),
            Err(error) if threads.is_empty() => return Err(StartError::Thread(error)),
            Err(error) => {
                log::warn!("only {number} of {size} threads could be started: {error}");
                break;
            }
        }
    }
    Ok(threads)
}

/// Waits for the threads to end, and returns their number.
fn join(threads: Vec<WorkerThread<'_>>) -> usize {
    let count = threads.len();
    for thread in threads {
        thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
    }
    count
}

/// Stops the run at its deadline, and wakes the workers when it ends.
fn watch(gates: &HostGates, stop: &Stop, deadline: Option<Instant>, is_done: &AtomicBool) {
    if !stop.wait_until(deadline, || is_done.load(Ordering::SeqCst)) {
        stop.stop(StopReason::OutOfTime);
    }
    gates.wake();
}
