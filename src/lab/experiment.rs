//! Runs an experiment: a warm-up that is discarded, then rounds in alternating order.
//!
//! A round runs each level of concurrency once. Every second round runs them in reverse order (A B B A for
//! two levels). In an even number of rounds both orders are equally frequent, so that a drift of the machine
//! or the network affects all levels equally. Incomplete rounds are discarded. After each round,
//! [`agreement`] checks that all runs fetched the same bodies; otherwise they cannot be compared. No figures
//! are computed here.

use std::time::{Duration, Instant};

use super::agreement::{self, Disagreement};
use super::measurement::RunRecord;
use super::schedule::Schedule;

/// Fetches the URLs of an experiment.
pub trait Executor {
    /// Fetches every URL once with at most `concurrency` connections, and records the result.
    ///
    /// Each run begins without open connections. Keep-alive, name resolution and the treatment of the
    /// bodies must be the same at every concurrency, including 1. A failure is recorded, not returned.
    fn run(&mut self, concurrency: usize) -> RunRecord;

    /// True if the user interrupted the experiment or its time ran out. The last run is then incomplete.
    fn was_interrupted(&self) -> bool {
        false
    }
}

/// The clock for the time limit.
pub trait Clock {
    /// The time since the start of the experiment.
    fn elapsed(&self) -> Duration;
}

/// The time since this instant.
impl Clock for Instant {
    fn elapsed(&self) -> Duration {
        Instant::elapsed(self)
    }
}

/// The runs of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub schedule: Schedule,
    /// The discarded run. Reports use its failures, and its waterfall if there is no other run.
    pub warm_up: RunRecord,
    /// The complete rounds, each with one run per level, in the order of the levels.
    pub rounds: Vec<Vec<RunRecord>>,
    /// Why there are no more rounds.
    pub end: EndReason,
    /// The duration of the whole experiment.
    pub elapsed: Duration,
}

impl Trial {
    /// The rounds from which figures are computed.
    ///
    /// If the experiment ended early, the last of an odd number is left out, because a drift would not cancel.
    /// A single round is kept: it supports no claim anyway.
    #[must_use]
    pub fn used_rounds(&self) -> &[Vec<RunRecord>] {
        let count = self.rounds.len();
        let is_comparable = !matches!(self.end, EndReason::Disagreed(_));
        let unused = if is_comparable && count > 1 { count % 2 } else { 0 };
        &self.rounds[..count - unused]
    }

    /// True if the pairs support intervals that hold together with 95 %.
    pub(super) fn has_enough_pairs(&self) -> bool {
        self.used_rounds().len() >= self.schedule.needed_pairs()
    }

    /// The used runs at the level of this position, in the order of the rounds.
    pub(super) fn runs_at(&self, level: usize) -> Vec<&RunRecord> {
        self.used_rounds().iter().filter_map(|round| round.get(level)).collect()
    }

    /// The used runs with one connection.
    pub(super) fn baseline(&self) -> Vec<&RunRecord> {
        self.runs_at(0)
    }

    /// The used runs that the summary compares with the baseline.
    pub(super) fn summarised(&self) -> Vec<&RunRecord> {
        self.runs_at(self.schedule.summary())
    }
}

/// Why an experiment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// All rounds were run.
    Complete,
    /// The next round would probably have exceeded this time limit.
    OutOfTime(Duration),
    /// The user interrupted the experiment.
    Interrupted,
    /// The runs cannot be compared, so further ones would be useless.
    Disagreed(Disagreement),
}

/// Runs the experiment.
///
/// The warm-up uses the schedule's concurrency. If it fetches nothing at all, it is the only run: more
/// timeouts of an unreachable host would show nothing new.
pub fn conduct(schedule: Schedule, executor: &mut impl Executor, clock: &impl Clock) -> Trial {
    let mut executor = TimedExecutor { executor, clock, finished_runs: 0 };
    let warm_up = executor.run(schedule.concurrency());
    let mut rounds: Vec<Vec<RunRecord>> = Vec::new();
    let end = if executor.was_interrupted() {
        interruption(&schedule, clock)
    } else if let Some(disagreement) = agreement::of_warm_up(&warm_up) {
        EndReason::Disagreed(disagreement)
    } else {
        let mut longest = Duration::ZERO;
        loop {
            if rounds.len() == schedule.rounds() {
                break EndReason::Complete;
            }
            let started_at = clock.elapsed();
            if let Some(max_time) = schedule.max_time()
                && started_at + longest >= max_time
            {
                break EndReason::OutOfTime(max_time);
            }
            let Some(round) = round(&schedule, rounds.len(), &mut executor) else {
                break interruption(&schedule, clock);
            };
            rounds.push(round);
            longest = longest.max(clock.elapsed().saturating_sub(started_at));
            if let Some(disagreement) = agreement::of_rounds(&rounds) {
                break EndReason::Disagreed(disagreement);
            }
        }
    };
    Trial { schedule, warm_up, rounds, end, elapsed: clock.elapsed() }
}

/// Notes the position and the start of each run.
struct TimedExecutor<'a, E, C> {
    executor: &'a mut E,
    clock: &'a C,
    finished_runs: usize,
}

impl<E: Executor, C: Clock> Executor for TimedExecutor<'_, E, C> {
    fn run(&mut self, concurrency: usize) -> RunRecord {
        let mut run = self.executor.run(concurrency);
        run.order = self.finished_runs;
        // An executor may prepare a run before its wall time begins.
        run.start = self.clock.elapsed().saturating_sub(run.wall);
        self.finished_runs += 1;
        run
    }

    fn was_interrupted(&self) -> bool {
        self.executor.was_interrupted()
    }
}

/// One round, or `None` if it was interrupted. Rounds with an odd index are run in reverse order.
fn round(
    schedule: &Schedule,
    index: usize,
    executor: &mut impl Executor,
) -> Option<Vec<RunRecord>> {
    let mut order = schedule.levels().to_vec();
    if index % 2 == 1 {
        order.reverse();
    }
    let mut runs = Vec::with_capacity(order.len());
    for concurrency in order {
        runs.push(executor.run(concurrency));
        if executor.was_interrupted() {
            return None;
        }
    }
    if index % 2 == 1 {
        runs.reverse();
    }
    Some(runs)
}

/// Why a run was interrupted just now: by the time limit or by the user.
fn interruption(schedule: &Schedule, clock: &impl Clock) -> EndReason {
    match schedule.max_time() {
        Some(max_time) if clock.elapsed() >= max_time => EndReason::OutOfTime(max_time),
        _ => EndReason::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::super::measurement::{Ending, FetchRecord};
    use super::super::synthetic::synthetic_run;
    use super::*;

    /// Runs of one second each on a simulated clock; `change` may alter the n-th run.
    struct Scripted<F: FnMut(usize, &mut RunRecord)> {
        ran: Vec<usize>,
        now: Rc<Cell<Duration>>,
        change: F,
        interrupted_after: usize,
    }

    impl<F: FnMut(usize, &mut RunRecord)> Executor for Scripted<F> {
        fn run(&mut self, concurrency: usize) -> RunRecord {
            let mut run = synthetic_run(concurrency, 4, Duration::from_millis(250));
            (self.change)(self.ran.len(), &mut run);
            self.ran.push(concurrency);
            self.now.set(self.now.get() + Duration::from_secs(1));
            run
        }

        fn was_interrupted(&self) -> bool {
            self.ran.len() >= self.interrupted_after
        }
    }

    struct Watch(Rc<Cell<Duration>>);

    impl Clock for Watch {
        fn elapsed(&self) -> Duration {
            self.0.get()
        }
    }

    fn conduct_scripted(
        schedule: Schedule,
        change: impl FnMut(usize, &mut RunRecord),
    ) -> (Trial, Vec<usize>) {
        conduct_until(schedule, usize::MAX, change)
    }

    fn conduct_until(
        schedule: Schedule,
        interrupted_after: usize,
        change: impl FnMut(usize, &mut RunRecord),
    ) -> (Trial, Vec<usize>) {
        let now = Rc::new(Cell::new(Duration::ZERO));
        let watch = Watch(Rc::clone(&now));
        let mut executor = Scripted { ran: Vec::new(), now, change, interrupted_after };
        let trial = conduct(schedule, &mut executor, &watch);
        (trial, executor.ran)
    }

    fn fail(fetch: &mut FetchRecord) {
        fetch.ending = Ending::Failed("404 Not Found".to_owned());
    }

    #[test]
    fn rounds_alternate_their_order_after_a_discarded_warm_up() {
        let (trial, ran) = conduct_scripted(Schedule::compare(10).with_rounds(4), |_, _| ());
        assert_eq!(ran, [10, 1, 10, 10, 1, 1, 10, 10, 1]);
        assert_eq!(trial.end, EndReason::Complete);
        assert_eq!(trial.rounds.len(), 4);
        for round in &trial.rounds {
            assert_eq!(round.iter().map(|run| run.concurrency).collect::<Vec<_>>(), [1, 10]);
        }
        // The warm-up is number 0, and each run takes a second.
        let orders: Vec<usize> = trial.rounds.iter().flatten().map(|run| run.order).collect();
        assert_eq!(orders, [1, 2, 4, 3, 5, 6, 8, 7]);
        for run in trial.rounds.iter().flatten() {
            assert_eq!((run.start + run.wall).as_secs(), run.order as u64 + 1);
        }
    }

    #[test]
    fn a_sweep_includes_one_connection_and_the_summarys_concurrency() {
        let schedule = Schedule::sweep(&[4, 0, 2, 4], 3).with_rounds(2);
        assert_eq!(schedule.levels(), [1, 2, 3, 4]);
        let (_, ran) = conduct_scripted(schedule, |_, _| ());
        assert_eq!(ran, [3, 1, 2, 3, 4, 4, 3, 2, 1]);
    }

    #[test]
    fn no_round_is_started_that_would_exceed_the_time_limit() {
        // The warm-up takes one second and each round two: 1, 3, 5, and a third would end at 7.
        for (seconds, rounds) in [(1, 0), (2, 1), (5, 1), (6, 2), (7, 2), (8, 3)] {
            let max_time = Duration::from_secs(seconds);
            let (trial, _) =
                conduct_scripted(Schedule::compare(10).with_max_time(max_time), |_, _| ());
            assert_eq!(trial.rounds.len(), rounds, "{seconds}");
            assert_eq!(trial.end, EndReason::OutOfTime(max_time));
        }
    }

    #[test]
    fn equal_sides_are_run_in_turns_too() {
        let (trial, ran) = conduct_scripted(Schedule::null(10).with_rounds(2), |_, _| ());
        assert_eq!(ran, [10; 5]);
        let orders = |runs: Vec<&RunRecord>| runs.iter().map(|run| run.order).collect::<Vec<_>>();
        assert_eq!(
            (orders(trial.baseline()), orders(trial.summarised())),
            (vec![1, 4], vec![2, 3])
        );
    }

    #[test]
    fn the_last_of_an_odd_number_of_rounds_is_not_used() {
        // The warm-up is the first run, and each round has two.
        for (runs, complete, used) in [(4, 1, 1), (6, 2, 2), (8, 3, 2), (10, 4, 4), (12, 5, 4)] {
            let schedule = Schedule::compare(10).with_rounds(20);
            let (trial, _) = conduct_until(schedule, runs, |_, _| ());
            assert_eq!(trial.rounds.len(), complete, "{runs}");
            assert_eq!(trial.used_rounds().len(), used, "{runs}");
        }
        let (trial, _) = conduct_scripted(Schedule::compare(10), |index, run| {
            if index == 6 {
                fail(&mut run.fetches[2]);
            }
        });
        assert_eq!(trial.used_rounds().len(), 3, "the round that forbids a comparison is shown");
    }

    #[test]
    fn an_interrupted_round_does_not_count() {
        let (trial, ran) = conduct_until(Schedule::compare(10), 4, |_, _| ());
        assert_eq!(ran.len(), 4);
        assert_eq!(trial.rounds.len(), 1);
        assert_eq!(trial.end, EndReason::Interrupted);
    }

    #[test]
    fn a_round_that_is_interrupted_by_the_time_limit_is_out_of_time() {
        let max_time = Duration::from_secs(4);
        let schedule = Schedule::compare(10).with_max_time(max_time);
        let (trial, ran) = conduct_until(schedule, 4, |_, _| ());
        assert_eq!((ran.len(), trial.rounds.len()), (3, 1), "the second round would take too long");
        let (trial, _) =
            conduct_until(Schedule::compare(10).with_max_time(max_time / 2), 2, |_, _| ());
        assert_eq!((trial.rounds.len(), trial.end), (0, EndReason::OutOfTime(max_time / 2)));
    }

    #[test]
    fn a_failure_ends_the_experiment_with_its_round() {
        let (trial, ran) =
            conduct_scripted(Schedule::compare(10), |_, run| fail(&mut run.fetches[2]));
        assert_eq!(ran, [10, 1, 10]);
        assert!(matches!(trial.end, EndReason::Disagreed(_)), "{:?}", trial.end);
    }

    #[test]
    fn a_failure_in_the_warm_up_alone_is_accepted() {
        let (trial, _) = conduct_scripted(Schedule::compare(10), |index, run| {
            if index == 0 {
                fail(&mut run.fetches[2]);
            }
        });
        assert_eq!(trial.end, EndReason::Complete);
    }

    #[test]
    fn a_warm_up_in_which_all_fails_is_the_only_run() {
        let (trial, ran) =
            conduct_scripted(Schedule::compare(10), |_, run| run.fetches.iter_mut().for_each(fail));
        assert_eq!(ran, [10]);
        assert!(trial.rounds.is_empty());
    }

    #[test]
    fn another_body_ends_the_experiment() {
        let (trial, ran) = conduct_scripted(Schedule::compare(10), |index, run| {
            if index == 4 {
                run.fetches[1].digest = Some("other".to_owned());
            }
        });
        assert_eq!(ran.len(), 5);
        assert!(matches!(trial.end, EndReason::Disagreed(Disagreement::Digest { .. })));
    }
}
