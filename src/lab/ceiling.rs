//! The highest speedup that the fetches of a sequential run allow: their total divided by the time of the
//! best schedule on the connections that may be used. Pure functions of numbers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::statistics::as_f64;

/// The fetches from one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFetches {
    /// The time of each in a sequential run.
    pub times: Vec<Duration>,
    /// The number of connections that may be used for this host at once; 0 counts as 1.
    pub limit: usize,
}

/// The sequential total divided by the time of the best schedule on `connections`; `None` if no fetch took
/// time.
///
/// It assumes that a fetch takes equally long in both runs. A server or link that serves several requests
/// more efficiently can exceed it.
///
/// The schedule starts the longest fetch first. With one host it takes at most 4/3 of the time of the
/// optimum, which is far harder to find; with equal fetches it is the optimum. R. L. Graham, *Bounds on
/// Multiprocessing Timing Anomalies*, SIAM Journal on Applied Mathematics 17 (1969),
/// <https://doi.org/10.1137/0117039>. With several hosts, the next connection serves the host whose
/// remaining fetches need the longest time on its own connections.
#[must_use]
pub fn ceiling(connections: usize, hosts: Vec<HostFetches>) -> Option<f64> {
    let total: Duration = hosts.iter().flat_map(|host| &host.times).sum();
    let time = schedule(connections, hosts);
    (!time.is_zero()).then(|| total.as_secs_f64() / time.as_secs_f64())
}

/// A host during the schedule.
struct Queue {
    /// In ascending order: the longest is taken from the end.
    times: Vec<Duration>,
    remaining: Duration,
    limit: usize,
    active: usize,
}

impl Queue {
    fn new(HostFetches { mut times, limit }: HostFetches, connections: usize) -> Self {
        times.sort_unstable();
        let remaining = times.iter().sum();
        Self { times, remaining, limit: limit.clamp(1, connections), active: 0 }
    }

    fn may_start(&self) -> bool {
        self.active < self.limit && !self.times.is_empty()
    }

    /// A lower bound of the time that the fetches not yet started will take.
    fn need(&self) -> f64 {
        let longest = self.times.last().copied().unwrap_or_default();
        longest.as_secs_f64().max(self.remaining.as_secs_f64() / as_f64(self.limit))
    }

    fn start(&mut self) -> Duration {
        let time = self.times.pop().unwrap_or_default();
        self.remaining -= time;
        self.active += 1;
        time
    }
}

/// The time of the schedule.
#[must_use]
pub fn schedule(connections: usize, hosts: Vec<HostFetches>) -> Duration {
    let connections = connections.max(1);
    let mut queues: Vec<Queue> =
        hosts.into_iter().map(|host| Queue::new(host, connections)).collect();
    // The end of each active fetch, and its host.
    let mut active: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let mut now = Duration::ZERO;
    loop {
        while active.len() < connections {
            let waiting = queues.iter_mut().enumerate().filter(|(_, queue)| queue.may_start());
            let next = waiting.max_by(|(_, one), (_, other)| one.need().total_cmp(&other.need()));
            let Some((host, queue)) = next else { break };
            active.push(Reverse((now + queue.start(), host)));
        }
        let Some(Reverse((end, host))) = active.pop() else { return now };
        now = end;
        queues[host].active -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(limit: usize, seconds: &[f64]) -> HostFetches {
        let times = seconds.iter().copied().map(Duration::from_secs_f64).collect();
        HostFetches { times, limit }
    }

    #[test]
    fn the_ceiling_is_that_of_the_best_schedule() {
        const NONE: usize = usize::MAX;
        for (connections, hosts, expected) in [
            (10, vec![host(NONE, &[1.0; 4])], Some(4.0)),
            (3, vec![host(NONE, &[1.0; 4])], Some(2.0)),
            (10, vec![host(NONE, &[9.0, 1.0, 1.0, 1.0])], Some(12.0 / 9.0)),
            (10, vec![host(NONE, &[2.5])], Some(1.0)),
            // Three rounds of equal fetches, the last of which leaves connections idle.
            (8, vec![host(NONE, &[0.02; 20])], Some(20.0 / 3.0)),
            (12, vec![host(NONE, &[0.02; 20])], Some(10.0)),
            (19, vec![host(NONE, &[0.02; 20])], Some(10.0)),
            (20, vec![host(NONE, &[0.02; 20])], Some(20.0)),
            // The host's limit counts, not the connections asked for.
            (50, vec![host(12, &[0.5; 60])], Some(12.0)),
            (50, vec![host(12, &[0.5; 61])], Some(61.0 / 6.0)),
            (2, vec![host(NONE, &[1.0, 1.0, 2.0, 3.0, 3.0])], Some(2.0)),
            // Each host has its own limit; together they have the connections.
            (4, vec![host(1, &[1.0; 3]), host(2, &[1.0; 6])], Some(3.0)),
            (2, vec![host(1, &[1.0; 3]), host(2, &[1.0; 6])], Some(9.0 / 5.0)),
            // The host with one connection must not wait for the longer fetches of the other.
            (2, vec![host(1, &[1.0; 10]), host(NONE, &[2.0; 5])], Some(2.0)),
            (10, vec![host(1, &[1.0; 3]), host(NONE, &[2.0])], Some(5.0 / 3.0)),
            (10, vec![host(0, &[1.0; 3])], Some(1.0)),
            (10, vec![host(NONE, &[0.0, 0.0])], None),
            (10, vec![], None),
        ] {
            let found = ceiling(connections, hosts.clone());
            let is_equal = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(is_equal, "{connections}, {hosts:?}: {found:?}, not {expected:?}");
        }
    }

    /// Graham's example in which longest first takes 11 and the optimum 9.
    #[test]
    fn longest_first_may_take_longer_than_the_optimum_but_at_most_by_a_third() {
        let fetches = host(9, &[5.0, 5.0, 4.0, 4.0, 3.0, 3.0, 3.0]);
        let found = ceiling(3, vec![fetches]).expect("the fetches took time");
        assert!((found - 27.0 / 11.0).abs() < 1e-9, "{found}");
    }
}
