//! The workers that the limit of file descriptors (`ulimit -n`) allows.
//!
//! Without the bound, URLs would fail for lack of a descriptor that they need only wait for.

use crate::net::raise_descriptor_limit;

/// A worker: its connection, one to another address, an idle connection, the part, its notes and a
/// directory.
const PER_WORKER: u64 = 6;

/// Everything else: standard streams, signals, the output directory, name servers, reports.
const RESERVE: u64 = 24;

/// The number of workers that the limit allows, at least one and up to `wanted`. The soft limit is raised
/// for them as far as the hard one allows.
pub(super) fn fitting_workers(wanted: usize) -> usize {
    let needed = (wanted as u64).saturating_mul(PER_WORKER).saturating_add(RESERVE);
    let limit = raise_descriptor_limit(needed);
    let workers = fit(wanted, limit);
    if workers < wanted {
        log::warn!(
            "only {workers} of {wanted} connections at a time: {limit} files may be open (ulimit -n)"
        );
    }
    workers
}

fn fit(wanted: usize, limit: u64) -> usize {
    let fitting = limit.saturating_sub(RESERVE) / PER_WORKER;
    usize::try_from(fitting).map_or(wanted, |fitting| wanted.min(fitting)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_fit_into_the_limit_of_descriptors() {
        for (wanted, limit, workers) in
            [(5, 1024, 5), (1000, 1024, 166), (100, 64, 6), (5, 8, 1), (9, u64::MAX, 9), (0, 64, 1)]
        {
            assert_eq!(fit(wanted, limit), workers, "{wanted} in {limit}");
        }
    }
}
