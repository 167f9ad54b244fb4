//! The workers: each takes the next job and makes one attempt at it, until no job is left.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::client::error::FetchError;
use crate::client::fetch::attempt::fetch;
use crate::client::fetch::context::{JobRecord, RunContext, Task};
use crate::client::fetch::exchange::{Exchanger, Network};
use crate::client::fetch::split_fetch::{abandon, help};
use crate::client::hosts::gate::Assignment;
use crate::client::plan::job::Job;
use crate::client::results::outcome::{Outcome, Saved};
use crate::client::retry::{FailedAttempt, RetryState};
use crate::client::stop::Stop;
use crate::lock::lock;

/// The state that the workers of a run share.
pub(super) struct Workers<'r> {
    jobs: &'r [Job],
    network: &'r Network,
    run: &'r RunContext<'r>,
    stop: &'r Stop,
    /// The start of the run.
    started_at: Instant,
    /// The progress of the delayed jobs by their indices.
    delayed_jobs: Mutex<HashMap<usize, JobProgress>>,
    /// The outcomes in the order of the jobs. Lists of the workers would have to be merged, and would take
    /// twice the memory then.
    outcomes: Mutex<Vec<Option<Outcome>>>,
}

/// The progress of one job.
struct JobProgress {
    /// The start of the first attempt.
    started_at: Instant,
    record: JobRecord,
    retry: RetryState,
    attempts: u32,
    rejections: u32,
    delayed_since: Option<Instant>,
}

/// The step after an attempt.
enum NextStep {
    Finish(Result<Saved, FetchError>),
    /// Another attempt after this time.
    RetryAfter(Duration),
}

impl<'r> Workers<'r> {
    pub(super) fn new(
        jobs: &'r [Job],
        network: &'r Network,
        run: &'r RunContext<'r>,
        stop: &'r Stop,
        started_at: Instant,
    ) -> Self {
        let outcomes = Mutex::new(jobs.iter().map(|_| None).collect());
        Self { jobs, network, run, stop, started_at, delayed_jobs: Mutex::default(), outcomes }
    }

    /// Makes attempts until no job is left for this worker, then helps with split files.
    pub(super) fn work(&self, worker: usize) {
        let mut exchanger = Exchanger::new(self.network);
        while let Some(assignment) = self.network.gates.next_assignment() {
            let Assignment { ticket, admission } = assignment;
            let index = ticket.index;
            let mut progress = self.take_progress(index);
            exchanger.admission = admission;
            let next_step = self.attempt(&mut exchanger, index, &mut progress);
            exchanger.return_admission();
            match next_step {
                NextStep::RetryAfter(wait) => {
                    let now = Instant::now();
                    progress.delayed_since = Some(now);
                    lock(&self.delayed_jobs).insert(index, progress);
                    self.network.gates.delay(&ticket, now + wait);
                }
                NextStep::Finish(result) => {
                    if result.is_err() {
                        abandon(self.run, index);
                    }
                    let outcome = progress.outcome(result, worker);
                    self.run.observer.finished(index, &outcome);
                    self.run.splits.finish_job();
                    lock(&self.outcomes)[index] = Some(outcome);
                    self.network.gates.finish_job(&ticket);
                }
            }
        }
        if self.run.settings.split.get() > 1 {
            while let Some(split) = self.run.splits.next_to_help() {
                help(&mut exchanger, self.run, &self.jobs[split.index()], &split);
            }
        }
    }

    /// The outcomes in the order of the jobs, after all workers have ended.
    pub(super) fn take_outcomes(&self) -> Vec<Outcome> {
        let outcomes = std::mem::take(&mut *lock(&self.outcomes));
        let outcomes = outcomes.into_iter();
        outcomes.map(|outcome| outcome.expect("each job has been finished")).collect()
    }

    /// Takes the progress of a delayed job, or begins that of a new one.
    fn take_progress(&self, index: usize) -> JobProgress {
        let now = Instant::now();
        if let Some(mut progress) = lock(&self.delayed_jobs).remove(&index) {
            progress.record.phases.waiting += now - progress.delayed_since.unwrap_or(now);
            return progress;
        }
        let mut record = JobRecord::default();
        record.phases.queue = now.duration_since(self.started_at);
        JobProgress {
            started_at: now,
            record,
            retry: RetryState::default(),
            attempts: 0,
            rejections: 0,
            delayed_since: None,
        }
    }

    /// Makes one attempt, unless the run has been stopped.
    fn attempt(
        &self,
        exchanger: &mut Exchanger<'r>,
        index: usize,
        progress: &mut JobProgress,
    ) -> NextStep {
        if let Some(reason) = self.stop.reason() {
            return NextStep::Finish(Err(reason.into()));
        }
        let (job, gates) = (&self.jobs[index], &self.network.gates);
        if progress.attempts == 0 {
            self.run.observer.started(index);
        }
        progress.attempts += 1;
        let finished_before = gates.finished_jobs(&job.url);
        let task = Task { index, job };
        let error = match fetch(exchanger, self.run, task, &mut progress.record) {
            Ok(saved) => return NextStep::Finish(Ok(saved)),
            Err(error) => error,
        };
        if let Some(reason) = self.stop.reason() {
            return NextStep::Finish(Err(reason.into()));
        }
        progress.rejections += u32::from(error.is_rejection());
        if !error.is_transient() {
            return NextStep::Finish(Err(error));
        }
        let failed = FailedAttempt {
            furthest_bytes: progress.record.furthest_bytes,
            was_crowded_out: error.is_rejection()
                && gates.finished_jobs(&job.url) > finished_before,
        };
        let policy = &self.run.settings.retry;
        let Some(wait) = progress.retry.after(failed, policy, fastrand::f64()) else {
            return NextStep::Finish(Err(error));
        };
        let wait = match error {
            // The host's gate already enforces `Retry-After` for 429 and 503.
            FetchError::Status { retry_after: Some(at_least), .. } if !error.is_rejection() => {
                wait.max(at_least)
            }
            _ => wait,
        };
        self.run.observer.retrying(index, &error, wait);
        NextStep::RetryAfter(wait)
    }
}

impl JobProgress {
    fn outcome(self, result: Result<Saved, FetchError>, worker: usize) -> Outcome {
        let JobRecord { phases, redirected_to, received, .. } = self.record;
        Outcome {
            result,
            redirected_to,
            worker,
            took: self.started_at.elapsed(),
            phases,
            attempts: self.attempts,
            rejections: self.rejections,
            received,
        }
    }
}
