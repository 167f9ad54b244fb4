//! File descriptors: how many the process may have, and how many connections they allow.
//!
//! A connection that sends a file holds two. A process without free descriptors can neither accept a
//! connection nor open a file, so the total limit is fitted to the descriptors before the first connection.

use crate::net::raise_descriptor_limit;

/// Descriptors for the rest of the process: standard streams, two listeners, root, logs, pipes, signals, and the
/// connections of the status page's reserve.
const PROCESS: u64 = 24;

/// Most descriptors for sockets that wait for a rejected request or linger after a last response. In a burst
/// of clients, many have not sent the request that is rejected.
const MAX_LINGERING: u64 = 16 * 1024;

/// Least descriptors for such sockets, unless a quarter of all is less.
const MIN_LINGERING: u64 = 1024;

/// How the descriptors are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Connections that may be open at once: as many as wanted, or fewer.
    pub total: usize,
    /// The number of connections that the descriptors allow.
    pub capacity: usize,
    /// Sockets that may linger after their last response.
    pub lingering: usize,
    /// Connections that may wait for a slot: as many as wanted, or fewer.
    pub waiting: usize,
    /// The soft limit on descriptors (`RLIMIT_NOFILE`).
    pub limit: u64,
}

impl Budget {
    /// Fits `wanted` connections, and `waiting` ones that wait for a slot, into `limit` descriptors. Grants at
    /// least one connection and one lingering socket, even if these are too many. Those that wait get what the
    /// others can do without, or a quarter if that is more.
    #[must_use]
    pub fn fit(wanted: usize, waiting: usize, limit: u64) -> Self {
        let free = limit.saturating_sub(PROCESS);
        let others = (wanted as u64).saturating_add(MIN_LINGERING).saturating_mul(2);
        let left = free.saturating_sub(others).max(free / 4);
        let waiting = waiting.min(usize::try_from(left).unwrap_or(usize::MAX));
        let free = free - waiting as u64;
        let spare = free.saturating_sub((wanted as u64).saturating_mul(2));
        let least = MIN_LINGERING.min(free / 4).max(1);
        let lingering = spare.min(free / 2).min(MAX_LINGERING).max(least);
        let capacity = ((free.saturating_sub(lingering)) / 2).max(1);
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let lingering = usize::try_from(lingering).expect("it is at most MAX_LINGERING");
        Self { total: wanted.min(capacity), capacity, lingering, waiting, limit }
    }

    /// Raises the process's soft limit as far as these connections need and the hard limit allows, and fits
    /// them into it.
    #[must_use]
    pub fn claim(wanted: usize, waiting: usize) -> Self {
        Self::fit(wanted, waiting, raise_descriptor_limit(needed(wanted, waiting)))
    }
}

/// The least limit into which these connections fit, with all of [`MAX_LINGERING`] beside them.
fn needed(wanted: usize, waiting: usize) -> u64 {
    let connections = (wanted as u64).saturating_mul(2);
    let others = connections.max(MAX_LINGERING).saturating_add(MAX_LINGERING);
    others.saturating_add(waiting as u64).saturating_add(PROCESS)
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
            let budget = Budget::fit(wanted, 0, limit);
            assert_eq!((budget.total, budget.lingering), (total, lingering), "{wanted} in {limit}");
        }
    }

    #[test]
    fn connections_that_wait_get_what_others_can_do_without() {
        for (waiting, limit, expected) in [
            (1_000, 1 << 20, (60, 1_000, 16_384)),
            (10_000, 20_000, (60, 10_000, 4_988)),
            (20_000, 20_000, (60, 17_808, 1_084)),
            (1_000, 1024, (60, 250, 375)),
            (1, 8, (1, 0, 1)),
        ] {
            let budget = Budget::fit(60, waiting, limit);
            let granted = (budget.total, budget.waiting, budget.lingering);
            assert_eq!(granted, expected, "{waiting} in {limit}");
        }
    }

    #[test]
    fn the_claimed_limit_suffices_for_the_wanted_connections() {
        for wanted in [1, 60, 1_000, 8_192, 8_193, 100_000] {
            for waiting in [0, 1_000, 10_000, 100_000] {
                let needed = needed(wanted, waiting);
                let all = Budget::fit(wanted, waiting, needed);
                assert_eq!((all.total, all.waiting), (wanted, waiting));
                assert_eq!(all.lingering as u64, MAX_LINGERING);
                let less = Budget::fit(wanted, waiting, needed - 1);
                assert!(
                    less.total < wanted
                        || less.waiting < waiting
                        || (less.lingering as u64) < MAX_LINGERING,
                    "{wanted} {waiting}"
                );
            }
        }
    }

    #[test]
    fn a_budget_never_exceeds_a_limit_that_bears_one_connection() {
        for limit in 32..3_000 {
            let budget = Budget::fit(1_000, 1_000, limit);
            let others = (budget.lingering + budget.waiting) as u64;
            let used = PROCESS + others + 2 * budget.total as u64;
            assert!(used <= limit, "{budget:?}");
        }
    }
}
