//! File descriptors: as many as the workers may need, or else fewer workers. A URL that finds none left
//! would be lost for want of nothing but a turn.

use crate::net::raise_descriptor_limit;

/// For each worker: its connection, another address that is tried, a kept connection, the part, its notes
/// and a directory.
const WORKER: u64 = 6;

/// Beside those: standard streams, signals, the output directory, name servers, documents.
const PROCESS: u64 = 24;

/// So many of the wanted workers as the descriptors bear, at least one. The soft limit is raised for them
/// as far as that is allowed.
pub(super) fn bearable(wanted: usize) -> usize {
    let needed = (wanted as u64).saturating_mul(WORKER).saturating_add(PROCESS);
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
    let bearable = limit.saturating_sub(PROCESS) / WORKER;
    usize::try_from(bearable).map_or(wanted, |bearable| wanted.min(bearable)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_fitted_into_the_descriptors() {
        for (wanted, limit, workers) in
            [(5, 1024, 5), (1000, 1024, 166), (100, 64, 6), (5, 8, 1), (9, u64::MAX, 9), (0, 64, 1)]
        {
            assert_eq!(fit(wanted, limit), workers, "{wanted} in {limit}");
        }
    }
}
