//! The schedule of an experiment: which levels of concurrency are run, in how many rounds, in what time.

use std::time::Duration;

use serde::Serialize;

use super::interval::{family_level, fewest_values};

/// The highest level of concurrency that [`automatic_levels`] chooses.
pub const MAX_AUTOMATIC_LEVEL: usize = 32;

/// The schedule of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    levels: Vec<usize>,
    /// The position of the level that the summary reports.
    summary: usize,
    rounds: usize,
    raised_from: Option<usize>,
    max_time: Option<Duration>,
}

/// What the runs that the summary reports are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Runs with one connection.
    WithOne,
    /// Equal runs, to show how much these differ.
    WithItself,
}

impl Schedule {
    /// Compares `concurrency` connections with one.
    #[must_use]
    pub fn compare(concurrency: usize) -> Self {
        Self::sweep(&[concurrency], concurrency)
    }

    /// Compares all `levels` and `concurrency` with one connection. The summary reports `concurrency`.
    ///
    /// The levels are sorted, 1 is added, and 0 and duplicates are removed.
    #[must_use]
    pub fn sweep(levels: &[usize], concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        let mut levels: Vec<usize> = levels.iter().copied().filter(|&c| c > 0).collect();
        levels.extend([1, concurrency]);
        levels.sort_unstable();
        levels.dedup();
        let summary = levels.iter().position(|&level| level == concurrency).unwrap_or(0);
        Self::new(levels, summary)
    }

    /// Compares `concurrency` connections with as many, to show how much equal runs differ.
    #[must_use]
    pub fn null(concurrency: usize) -> Self {
        Self::new(vec![concurrency.max(1); 2], 1)
    }

    fn new(levels: Vec<usize>, summary: usize) -> Self {
        let schedule = Self { levels, summary, rounds: 0, raised_from: None, max_time: None };
        let rounds = schedule.needed_rounds();
        Self { rounds, ..schedule }
    }

    /// Sets the number of rounds instead of [`needed_rounds`](Self::needed_rounds). An odd number is
    /// raised by one: only an even one has both orders equally often, so that a drift cancels.
    #[must_use]
    pub fn with_rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds.max(1).next_multiple_of(2);
        self.raised_from = (self.rounds != rounds).then_some(rounds);
        self
    }

    /// Sets the time limit, counted from the start. A round is not started if it would probably end after
    /// the limit. The executor must interrupt a round that exceeds it.
    #[must_use]
    pub fn with_max_time(mut self, max_time: Duration) -> Self {
        self.max_time = Some(max_time);
        self
    }

    /// The levels of concurrency: in ascending order, beginning with 1, or twice the same.
    #[must_use]
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// The number of rounds, which is even.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// The odd number of rounds that was asked for.
    #[must_use]
    pub fn raised_from(&self) -> Option<usize> {
        self.raised_from
    }

    /// The number of levels that are compared with the first.
    #[must_use]
    pub fn compared_levels(&self) -> usize {
        (self.levels.len() - 1).max(1)
    }

    /// The level of each interval with which all of them hold together with 95 %.
    #[must_use]
    pub fn interval_level(&self) -> f64 {
        family_level(self.compared_levels())
    }

    /// The fewest pairs of runs whose ratios support intervals of this level.
    #[must_use]
    pub fn needed_pairs(&self) -> usize {
        fewest_values(self.interval_level())
    }

    /// The lowest even number of rounds with [`needed_pairs`](Self::needed_pairs): 6, and in a sweep more,
    /// such as 8 with 2 to 6 comparisons.
    #[must_use]
    pub fn needed_rounds(&self) -> usize {
        self.needed_pairs().next_multiple_of(2)
    }

    /// The position, among the levels, of the one that the summary compares with the first.
    #[must_use]
    pub fn summary(&self) -> usize {
        self.summary
    }

    /// The concurrency that the summary compares with one connection, or with itself.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.levels[self.summary]
    }

    /// What the summary compares.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        if self.levels.first() == self.levels.get(1) {
            Comparison::WithItself
        } else {
            Comparison::WithOne
        }
    }

    /// The time limit, counted from the start.
    #[must_use]
    pub fn max_time(&self) -> Option<Duration> {
        self.max_time
    }
}

/// The default levels of a sweep: powers of two below the number of URLs or [`MAX_AUTOMATIC_LEVEL`],
/// whichever is less, and that number itself.
#[must_use]
pub fn automatic_levels(urls: usize) -> Vec<usize> {
    let last = urls.clamp(1, MAX_AUTOMATIC_LEVEL);
    let mut levels: Vec<usize> =
        std::iter::successors(Some(1), |c| Some(c * 2)).take_while(|&c| c < last).collect();
    levels.push(last);
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_default_number_of_rounds_is_the_lowest_even_one_that_supports_the_intervals() {
        let sweep = |levels: &[usize]| Schedule::sweep(levels, 2);
        for (schedule, rounds) in [
            (Schedule::compare(10), 6),
            (Schedule::null(10), 6),
            (Schedule::compare(1), 6),
            (sweep(&[1, 2]), 6),
            (sweep(&[2, 4]), 8),
            (sweep(&[2, 4, 8, 16, 32, 64]), 8),
            (sweep(&[2, 4, 8, 16, 32, 64, 128]), 10),
        ] {
            assert_eq!(schedule.rounds(), rounds, "{schedule:?}");
            assert_eq!(schedule.raised_from(), None);
        }
    }

    #[test]
    fn an_odd_number_of_rounds_is_raised_by_one() {
        for (asked, rounds, raised_from) in
            [(1, 2, Some(1)), (2, 2, None), (5, 6, Some(5)), (6, 6, None), (11, 12, Some(11))]
        {
            let schedule = Schedule::compare(10).with_rounds(asked);
            assert_eq!((schedule.rounds(), schedule.raised_from()), (rounds, raised_from));
        }
    }
}
