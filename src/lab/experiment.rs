//! The order of the runs: a warm-up that is thrown away, then rounds that go there and back.
//!
//! A round runs each level of concurrency once; the next one runs them in the opposite order (A B B A
//! for two levels), so that a drift of the machine or the network falls on all levels alike. A round
//! that the budget cuts off, and a run that was interrupted, count for nothing. Whether the bodies
//! agree is checked after each round by [`agreement`], because a run that fetched
//! something else measures something else. No figure is computed here.

use std::time::{Duration, Instant};

use super::agreement::{self, Disagreement};
use super::measurement::RunRecord;

/// Whoever fetches the URLs.
pub trait Executor {
    /// Fetches every URL once with at most `concurrency` connections, and tells what happened.
    ///
    /// Each run begins without a connection; keep-alive, name look-ups and what is done with the
    /// bodies are the same for every concurrency, 1 included. A failure is recorded, not returned.
    fn run(&mut self, concurrency: usize) -> RunRecord;

    /// Whether the user asked to stop, or the time was over: the run that was just returned is then not
    /// whole.
    fn was_interrupted(&self) -> bool {
        false
    }
}

/// A clock for the budget.
pub trait Clock {
    /// The time since the experiment began.
    fn elapsed(&self) -> Duration;
}

/// The clock on the wall: the time since it was made.
impl Clock for Instant {
    fn elapsed(&self) -> Duration {
        Instant::elapsed(self)
    }
}

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    levels: Vec<usize>,
    concurrency: usize,
    rounds: usize,
    max_time: Option<Duration>,
}

/// How many rounds a plan has unless it is told otherwise.
///
/// Five pairs are the fewest that support an interval of 95 %.
pub const ROUNDS: usize = super::statistics::FEWEST_PAIRS;

/// The most connections of a sweep that chooses its own levels.
pub const AUTOMATIC_LIMIT: usize = 32;

impl Plan {
    /// One connection against `concurrency`.
    #[must_use]
    pub fn compare(concurrency: usize) -> Self {
        Self::sweep(&[concurrency], concurrency)
    }

    /// All these levels and `concurrency`, against one connection; the summary speaks of `concurrency`.
    ///
    /// The levels are put in order, 1 is added, and 0 and repetitions fall away.
    #[must_use]
    pub fn sweep(levels: &[usize], concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        let mut levels: Vec<usize> = levels.iter().copied().filter(|&c| c > 0).collect();
        levels.extend([1, concurrency]);
        levels.sort_unstable();
        levels.dedup();
        Self { levels, concurrency, rounds: ROUNDS, max_time: None }
    }

    /// So many rounds (at least one) instead of [`ROUNDS`].
    #[must_use]
    pub fn with_rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds.max(1);
        self
    }

    /// No round is begun that would probably end later than this after the start. That one which does
    /// all the same is cut off is the executor's to see to.
    #[must_use]
    pub fn with_max_time(mut self, max_time: Duration) -> Self {
        self.max_time = Some(max_time);
        self
    }

    /// Why a run was cut off, which happened just now.
    fn cut_off(&self, clock: &impl Clock) -> Ended {
        match self.max_time {
            Some(max_time) if clock.elapsed() >= max_time => Ended::OutOfTime(max_time),
            _ => Ended::Interrupted,
        }
    }

    /// The levels of concurrency in ascending order, 1 first.
    #[must_use]
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// How many rounds are to be run.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// The concurrency that the summary compares with one connection.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }
}

/// The levels of a sweep that was not told any: doubling up to the number of URLs or
/// [`AUTOMATIC_LIMIT`], the lesser one included.
#[must_use]
pub fn automatic_levels(urls: usize) -> Vec<usize> {
    let last = urls.clamp(1, AUTOMATIC_LIMIT);
    let mut levels: Vec<usize> =
        std::iter::successors(Some(1), |c| Some(c * 2)).take_while(|&c| c < last).collect();
    levels.push(last);
    levels
}

/// What was run.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub plan: Plan,
    /// The discarded run; only its failures matter, and its picture where there is no other.
    pub warm_up: RunRecord,
    /// The whole rounds, each with one run for each level, in ascending order of the levels.
    pub rounds: Vec<Vec<RunRecord>>,
    /// Why there are no more of them.
    pub ended: Ended,
    /// How long everything took.
    pub elapsed: Duration,
}

/// Why an experiment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All rounds were run.
    Complete,
    /// The next round would probably have gone beyond the time allowed.
    OutOfTime(Duration),
    /// The user asked to stop.
    Interrupted,
    /// The runs do not bear a comparison, and further ones would not mend that.
    Disagreed(Disagreement),
}

/// Runs the experiment.
///
/// The warm-up uses the plan's concurrency. If nothing at all could be fetched in it, it is the only
/// run: many waits for a host that does not answer teach nothing more than one.
pub fn conduct(plan: Plan, executor: &mut impl Executor, clock: &impl Clock) -> Trial {
    let warm_up = executor.run(plan.concurrency);
    let mut rounds: Vec<Vec<RunRecord>> = Vec::new();
    let ended = if executor.was_interrupted() {
        plan.cut_off(clock)
    } else if let Some(disagreement) = agreement::of_warm_up(&warm_up) {
        Ended::Disagreed(disagreement)
    } else {
        let mut longest = Duration::ZERO;
        loop {
            if rounds.len() == plan.rounds {
                break Ended::Complete;
            }
            let begun = clock.elapsed();
            if let Some(max_time) = plan.max_time
                && begun + longest >= max_time
            {
                break Ended::OutOfTime(max_time);
            }
            let Some(round) = round(&plan, rounds.len(), executor) else {
                break plan.cut_off(clock);
            };
            rounds.push(round);
            longest = longest.max(clock.elapsed().saturating_sub(begun));
            if let Some(disagreement) = agreement::of_rounds(&rounds) {
                break Ended::Disagreed(disagreement);
            }
        }
    };
    Trial { plan, warm_up, rounds, ended, elapsed: clock.elapsed() }
}

/// One round, there or back, or `None` if it was interrupted.
fn round(plan: &Plan, index: usize, executor: &mut impl Executor) -> Option<Vec<RunRecord>> {
    let mut order = plan.levels.clone();
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::super::measurement::{Ending, FetchRecord};
    use super::super::scripted::complete_run;
    use super::*;

    /// Runs of one second each on a clock of its own; a script may change the n-th run.
    struct Scripted<F: FnMut(usize, &mut RunRecord)> {
        ran: Vec<usize>,
        now: Rc<Cell<Duration>>,
        change: F,
        interrupted_after: usize,
    }

    impl<F: FnMut(usize, &mut RunRecord)> Executor for Scripted<F> {
        fn run(&mut self, concurrency: usize) -> RunRecord {
            let mut run = complete_run(concurrency, 4, Duration::from_millis(250));
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
        plan: Plan,
        change: impl FnMut(usize, &mut RunRecord),
    ) -> (Trial, Vec<usize>) {
        conduct_until(plan, usize::MAX, change)
    }

    fn conduct_until(
        plan: Plan,
        interrupted_after: usize,
        change: impl FnMut(usize, &mut RunRecord),
    ) -> (Trial, Vec<usize>) {
        let now = Rc::new(Cell::new(Duration::ZERO));
        let watch = Watch(Rc::clone(&now));
        let mut executor = Scripted { ran: Vec::new(), now, change, interrupted_after };
        let trial = conduct(plan, &mut executor, &watch);
        (trial, executor.ran)
    }

    fn fail(fetch: &mut FetchRecord) {
        fetch.ending = Ending::Failed("404 Not Found".to_owned());
    }

    #[test]
    fn pairs_go_there_and_back_after_a_discarded_warm_up() {
        let (trial, ran) = conduct_scripted(Plan::compare(10).with_rounds(3), |_, _| ());
        assert_eq!(ran, [10, 1, 10, 10, 1, 1, 10]);
        assert_eq!(trial.ended, Ended::Complete);
        assert_eq!(trial.rounds.len(), 3);
        for round in &trial.rounds {
            assert_eq!(round.iter().map(|run| run.concurrency).collect::<Vec<_>>(), [1, 10]);
        }
    }

    #[test]
    fn a_sweep_is_interleaved_and_has_one_connection_and_the_summarys_own() {
        let plan = Plan::sweep(&[4, 0, 2, 4], 3).with_rounds(2);
        assert_eq!(plan.levels(), [1, 2, 3, 4]);
        let (_, ran) = conduct_scripted(plan, |_, _| ());
        assert_eq!(ran, [3, 1, 2, 3, 4, 4, 3, 2, 1]);
    }

    #[test]
    fn automatic_levels_double_up_to_the_number_of_urls() {
        for (urls, expected) in [
            (0, &[1][..]),
            (1, &[1]),
            (2, &[1, 2]),
            (10, &[1, 2, 4, 8, 10]),
            (2000, &[1, 2, 4, 8, 16, 32]),
        ] {
            assert_eq!(automatic_levels(urls), expected, "{urls}");
        }
    }

    #[test]
    fn no_round_is_begun_that_would_outlast_the_budget() {
        // The warm-up takes one second and each round two: 1, 3, 5, and a third would end at 7.
        for (seconds, rounds) in [(1, 0), (2, 1), (5, 1), (6, 2), (7, 2), (8, 3)] {
            let max_time = Duration::from_secs(seconds);
            let (trial, _) = conduct_scripted(Plan::compare(10).with_max_time(max_time), |_, _| ());
            assert_eq!(trial.rounds.len(), rounds, "{seconds}");
            assert_eq!(trial.ended, Ended::OutOfTime(max_time));
        }
    }

    #[test]
    fn an_interrupted_round_does_not_count() {
        let (trial, ran) = conduct_until(Plan::compare(10), 4, |_, _| ());
        assert_eq!(ran.len(), 4);
        assert_eq!(trial.rounds.len(), 1);
        assert_eq!(trial.ended, Ended::Interrupted);
    }

    #[test]
    fn a_round_that_is_cut_off_when_the_time_is_over_ran_out_of_it() {
        let max_time = Duration::from_secs(4);
        let plan = Plan::compare(10).with_max_time(max_time);
        let (trial, ran) = conduct_until(plan, 4, |_, _| ());
        assert_eq!((ran.len(), trial.rounds.len()), (3, 1), "the second round would take too long");
        let (trial, _) = conduct_until(Plan::compare(10).with_max_time(max_time / 2), 2, |_, _| ());
        assert_eq!((trial.rounds.len(), trial.ended), (0, Ended::OutOfTime(max_time / 2)));
    }

    #[test]
    fn a_failure_ends_the_experiment_with_its_round() {
        let (trial, ran) = conduct_scripted(Plan::compare(10), |_, run| fail(&mut run.fetches[2]));
        assert_eq!(ran, [10, 1, 10]);
        assert!(matches!(trial.ended, Ended::Disagreed(_)), "{:?}", trial.ended);
    }

    #[test]
    fn a_failure_in_the_warm_up_alone_is_forgiven() {
        let (trial, _) = conduct_scripted(Plan::compare(10), |index, run| {
            if index == 0 {
                fail(&mut run.fetches[2]);
            }
        });
        assert_eq!(trial.ended, Ended::Complete);
    }

    #[test]
    fn a_warm_up_in_which_all_fails_is_the_only_run() {
        let (trial, ran) =
            conduct_scripted(Plan::compare(10), |_, run| run.fetches.iter_mut().for_each(fail));
        assert_eq!(ran, [10]);
        assert!(trial.rounds.is_empty());
    }

    #[test]
    fn another_body_ends_the_experiment() {
        let (trial, ran) = conduct_scripted(Plan::compare(10), |index, run| {
            if index == 4 {
                run.fetches[1].digest = Some("other".to_owned());
            }
        });
        assert_eq!(ran.len(), 5);
        assert!(matches!(trial.ended, Ended::Disagreed(Disagreement::Digest { .. })));
    }
}
