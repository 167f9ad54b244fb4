//! The workers: each makes attempt after attempt, at whichever job is next.

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

/// What the workers of a run share.
pub(super) struct Workers<'r> {
    jobs: &'r [Job],
    network: &'r Network,
    run: &'r RunContext<'r>,
    stop: &'r Stop,
    /// When the run began.
    begun: Instant,
    /// The attempts at the jobs that are delayed.
    delayed: Mutex<HashMap<usize, Attempts>>,
}

/// The outcome of one job.
pub(super) struct IndexedOutcome {
    pub(super) index: usize,
    pub(super) outcome: Outcome,
}

/// The attempts at one job so far.
struct Attempts {
    /// When the first attempt began.
    begun: Instant,
    record: JobRecord,
    retry: RetryState,
    count: u32,
    rejections: u32,
    delayed_since: Option<Instant>,
}

/// What follows an attempt.
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
        begun: Instant,
    ) -> Self {
        Self { jobs, network, run, stop, begun, delayed: Mutex::default() }
    }

    /// Makes attempts until no job is left for this worker, then helps with split files.
    pub(super) fn work(&self, worker: usize) -> Vec<IndexedOutcome> {
        let mut exchanger = Exchanger::new(self.network);
        let mut outcomes = Vec::new();
        while let Some(assignment) = self.network.gates.next_assignment() {
            let Assignment { ticket, admission } = assignment;
            let index = ticket.index;
            let mut attempts = self.take_attempts(index);
            exchanger.admission = admission;
            let next_step = self.attempt(&mut exchanger, index, &mut attempts);
            exchanger.return_admission();
            match next_step {
                NextStep::RetryAfter(wait) => {
                    let now = Instant::now();
                    attempts.delayed_since = Some(now);
                    lock(&self.delayed).insert(index, attempts);
                    self.network.gates.delay(&ticket, now + wait);
                }
                NextStep::Finish(result) => {
                    if result.is_err() {
                        abandon(self.run, index);
                    }
                    let outcome = attempts.outcome(result, worker);
                    self.run.observer.finished(index, &outcome);
                    self.run.splits.finish_job();
                    self.network.gates.finish(&ticket);
                    outcomes.push(IndexedOutcome { index, outcome });
                }
            }
        }
        if self.run.settings.split.get() > 1 {
            while let Some(split) = self.run.splits.next_to_help() {
                help(&mut exchanger, self.run, &self.jobs[split.index()], &split);
            }
        }
        outcomes
    }

    /// The earlier attempts at a job that is started or continued.
    fn take_attempts(&self, index: usize) -> Attempts {
        let now = Instant::now();
        if let Some(mut attempts) = lock(&self.delayed).remove(&index) {
            attempts.record.phases.waiting += now - attempts.delayed_since.unwrap_or(now);
            return attempts;
        }
        let mut record = JobRecord::default();
        record.phases.queue = now.duration_since(self.begun);
        let (retry, count, rejections, delayed_since) = (RetryState::default(), 0, 0, None);
        Attempts { begun: now, record, retry, count, rejections, delayed_since }
    }

    /// Makes one attempt, unless the run has been stopped.
    fn attempt(
        &self,
        exchanger: &mut Exchanger<'r>,
        index: usize,
        attempts: &mut Attempts,
    ) -> NextStep {
        if let Some(reason) = self.stop.reason() {
            return NextStep::Finish(Err(reason.into()));
        }
        let (job, gates) = (&self.jobs[index], &self.network.gates);
        if attempts.count == 0 {
            self.run.observer.started(index);
        }
        attempts.count += 1;
        let finished_before = gates.finished(&job.url);
        let task = Task { index, job };
        let error = match fetch(exchanger, self.run, task, &mut attempts.record) {
            Ok(saved) => return NextStep::Finish(Ok(saved)),
            Err(error) => error,
        };
        if let Some(reason) = self.stop.reason() {
            return NextStep::Finish(Err(reason.into()));
        }
        attempts.rejections += u32::from(error.is_rejection());
        if !error.is_transient() {
            return NextStep::Finish(Err(error));
        }
        let failed = FailedAttempt {
            furthest_bytes: attempts.record.furthest_bytes,
            was_crowded_out: error.is_rejection() && gates.finished(&job.url) > finished_before,
        };
        let policy = &self.run.settings.retry;
        let Some(wait) = attempts.retry.after(failed, policy, fastrand::f64()) else {
            return NextStep::Finish(Err(error));
        };
        let wait = match error {
            // That of a rejection is applied by the host's gate.
            FetchError::Status { retry_after: Some(at_least), .. } if !error.is_rejection() => {
                wait.max(at_least)
            }
            _ => wait,
        };
        self.run.observer.retrying(index, &error, wait);
        NextStep::RetryAfter(wait)
    }
}

impl Attempts {
    fn outcome(self, result: Result<Saved, FetchError>, worker: usize) -> Outcome {
        let JobRecord { phases, redirected_to, received, .. } = self.record;
        Outcome {
            result,
            redirected_to,
            worker,
            took: self.begun.elapsed(),
            phases,
            attempts: self.count,
            rejections: self.rejections,
            received,
        }
    }
}
