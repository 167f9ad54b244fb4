//! The schedule of an experiment: which levels of concurrency are run, in how many rounds, in what time.

use std::time::Duration;

use super::statistics::MIN_PAIRS;

/// The default number of rounds: the fewest pairs that support a 95 % interval.
pub const DEFAULT_ROUNDS: usize = MIN_PAIRS;

/// The highest level of concurrency that [`automatic_levels`] chooses.
pub const MAX_AUTOMATIC_LEVEL: usize = 32;

/// The schedule of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    levels: Vec<usize>,
    concurrency: usize,
    rounds: usize,
    max_time: Option<Duration>,
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
        Self { levels, concurrency, rounds: DEFAULT_ROUNDS, max_time: None }
    }

    /// Sets the number of rounds, at least one, instead of [`DEFAULT_ROUNDS`].
    #[must_use]
    pub fn with_rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds.max(1);
        self
    }

    /// Sets the time limit, counted from the start. A round is not started if it would probably end after
    /// the limit. The executor must interrupt a round that exceeds it.
    #[must_use]
    pub fn with_max_time(mut self, max_time: Duration) -> Self {
        self.max_time = Some(max_time);
        self
    }

    /// The levels of concurrency in ascending order, beginning with 1.
    #[must_use]
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// The number of rounds.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// The concurrency that the summary compares with one connection.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.concurrency
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
}
