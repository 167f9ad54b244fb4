//! File descriptors: how many the process may have, and how many connections they bear.
//!
//! A connection that sends a file holds two. A process that runs out can accept nobody and open no
//! file, so the total limit is fitted to the descriptors before the first connection, not after.

use crate::net::raise_descriptor_limit;

/// Descriptors beside those of connections: standard streams, listener, root, logs, signals, and the
/// reserve for those who look at the server.
const PROCESS: u64 = 24;

/// Most descriptors for sockets that wait for their rejection or linger after their last answer. In a burst
/// of clients many have yet to send the request that their rejection answers.
const LINGERING: u64 = 16 * 1024;

/// So many of them, or a quarter of all, are not given to connections.
const LEAST_LINGERING: u64 = 1024;

/// What the descriptors are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Connections that may be open at once: those that are wanted, or fewer.
    pub total: usize,
    /// Connections that the descriptors bear.
    pub capacity: usize,
    /// Sockets that may linger after their last answer.
    pub lingering: usize,
    /// The soft limit that this was fitted to.
    pub limit: u64,
}

impl Budget {
    /// Fits `wanted` connections into `limit` descriptors. At least one connection and one lingering
    /// socket remain, even where that is too many.
    #[must_use]
    pub fn fit(wanted: usize, limit: u64) -> Self {
        let free = limit.saturating_sub(PROCESS);
        let spare = free.saturating_sub((wanted as u64).saturating_mul(2));
        let least = LEAST_LINGERING.min(free / 4).max(1);
        let lingering = spare.min(free / 2).min(LINGERING).max(least);
        let bearable = ((free.saturating_sub(lingering)) / 2).max(1);
        let bearable = usize::try_from(bearable).unwrap_or(usize::MAX);
        let lingering = usize::try_from(lingering).expect("it is at most LINGERING");
        Self { total: wanted.min(bearable), capacity: bearable, lingering, limit }
    }

    /// Raises the process's soft limit as far as `wanted` connections need and the hard limit allows,
    /// and fits them into what it is then.
    #[must_use]
    pub fn claim(wanted: usize) -> Self {
        Self::fit(wanted, raise_descriptor_limit(needed(wanted)))
    }
}

/// The least limit into which `wanted` connections fit with all of [`LINGERING`] beside them.
fn needed(wanted: usize) -> u64 {
    let connections = (wanted as u64).saturating_mul(2);
    connections.max(LINGERING).saturating_add(LINGERING + PROCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_fitted_into_the_descriptors() {
        for (wanted, limit, total, lingering) in [
            (60, 1024, 60, 500),
            (60, 20_000, 60, 9_988),
            (9_000, 20_000, 9_000, 1_976),
            (60, 1 << 20, 60, 16_384),
            (1_000, 1024, 375, 250),
            (60, 64, 15, 10),
            (60, 8, 1, 1),
            (usize::MAX, u64::MAX, usize::try_from((u64::MAX - 1048) / 2).unwrap(), 1024),
        ] {
            let budget = Budget::fit(wanted, limit);
            assert_eq!((budget.total, budget.lingering), (total, lingering), "{wanted} in {limit}");
        }
    }

    #[test]
    fn what_is_claimed_bears_all_that_is_wanted() {
        for wanted in [1, 60, 1_000, 8_192, 8_193, 100_000] {
            let budget = Budget::fit(wanted, needed(wanted));
            assert_eq!((budget.total, budget.lingering as u64), (wanted, LINGERING));
            let less = Budget::fit(wanted, needed(wanted) - 1);
            assert!(less.total < wanted || (less.lingering as u64) < LINGERING, "{wanted}");
        }
    }

    #[test]
    fn a_budget_never_exceeds_a_limit_that_bears_one_connection() {
        for limit in 32..3_000 {
            let budget = Budget::fit(1_000, limit);
            let used = PROCESS + budget.lingering as u64 + 2 * budget.total as u64;
            assert!(used <= limit, "{budget:?}");
        }
    }
}
