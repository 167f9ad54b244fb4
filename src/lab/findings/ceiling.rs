//! The ceiling: the fetches of each host, and the connections that may be used for it.

use std::collections::BTreeMap;

use super::super::ceiling::{self, HostFetches};
use super::super::figures::Ratio;
use super::super::measurement::RunRecord;
use super::conditions::Conditions;
use super::side::FileTimes;
use super::workload::origin;

/// The highest speedup of the runs `others` that the sequential times of `files` allow.
pub(super) fn ceiling(
    files: &[FileTimes],
    others: &[&RunRecord],
    conditions: &Conditions,
) -> Option<Ratio> {
    let connections = others.first()?.concurrency;
    let mut hosts: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for file in files {
        hosts.entry(origin(&file.url)).or_default().extend(file.exact_sequential);
    }
    let most = conditions.max_per_host.unwrap_or(usize::MAX);
    let hosts = hosts.into_iter().map(|(host, times)| {
        let limit = found_limit(host, others).unwrap_or(usize::MAX).min(most);
        HostFetches { times, limit }
    });
    ceiling::ceiling(connections, hosts.collect()).map(Ratio::new)
}

/// The highest limit of a host that the runs found; `None` if one of them found none, because it shows that
/// more connections are possible.
pub(super) fn found_limit(host: &str, runs: &[&RunRecord]) -> Option<usize> {
    let of_run = |run: &&RunRecord| {
        run.host_limits.iter().find(|limit| limit.host == host).map(|limit| limit.connections)
    };
    let limits: Option<Vec<usize>> = runs.iter().map(of_run).collect();
    limits?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::synthetic::{limited_host, synthetic_run};
    use super::super::side;
    use super::*;

    /// The ceiling of 60 equal fetches with 50 connections.
    fn of(found: &[Option<usize>], max_per_host: Option<usize>) -> f64 {
        let run = |concurrency| synthetic_run(concurrency, 60, Duration::from_secs(1));
        let others: Vec<RunRecord> = found
            .iter()
            .map(|limit| RunRecord {
                host_limits: limit.iter().map(|&limit| limited_host(limit)).collect(),
                ..run(50)
            })
            .collect();
        let others: Vec<&RunRecord> = others.iter().collect();
        let files = side::files(&run(50), &[&run(1)], &others);
        let conditions = Conditions { max_per_host, ..Conditions::default() };
        ceiling(&files, &others, &conditions).expect("the fetches took time").value()
    }

    #[test]
    fn the_limit_of_the_host_and_of_the_user_bound_the_ceiling() {
        for (found, max_per_host, expected) in [
            (&[None, None][..], None, 30.0),
            (&[Some(12), Some(12)], None, 12.0),
            (&[Some(10), Some(12)], None, 12.0),
            (&[Some(12), None], None, 30.0),
            (&[Some(12), Some(12)], Some(6), 6.0),
            (&[None, None], Some(6), 6.0),
        ] {
            assert!(
                (of(found, max_per_host) - expected).abs() < 1e-9,
                "{found:?} {max_per_host:?}"
            );
        }
    }

    #[test]
    fn a_limit_counts_for_its_own_host() {
        let mut sequential = synthetic_run(1, 20, Duration::from_secs(1));
        for (fetch, number) in sequential.fetches.iter_mut().zip(0..) {
            if number >= 10 {
                fetch.url = format!("http://files.test:8080/{number}").into();
            }
        }
        let host_limits = vec![limited_host(2)];
        let concurrent = RunRecord { concurrency: 12, host_limits, ..sequential.clone() };
        let files = side::files(&concurrent, &[&sequential], &[&concurrent]);
        let found = ceiling(&files, &[&concurrent], &Conditions::default());
        assert_eq!(found.map(Ratio::value), Some(4.0), "ten fetches over two connections take 5 s");
    }
}
