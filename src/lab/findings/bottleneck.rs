//! What limits the speedup, with a sentence that explains it.
//!
//! The possible bottlenecks are checked in an order in which each excludes the later ones: with fully used
//! processors more connections would not help, and a host that refuses connections says nothing about the
//! link. The thresholds are deliberately round numbers: the sentence names what dominates, and the figures
//! show how much. `evidence` computes the figures.

use serde::Serialize;

use super::super::figures::{Rate, Ratio, Seconds, counted};
use super::super::measurement::RunRecord;
use super::super::statistics::as_f64;
use super::curve::Speedup;
use super::evidence::{Evidence, HigherLevels};

/// A sequential run shorter than this is not worth speeding up.
const NEGLIGIBLE_SECONDS: f64 = 0.05;
/// The processor utilisation from which the processors count as fully used.
const FULL_UTILISATION: f64 = 0.8;
/// The slowdown of the fetches, compared with the sequential run, from which fully used processors count as
/// the bottleneck.
const PROCESSOR_SLOWDOWN: f64 = 1.2;
/// The slowdown of the fetches from which a shared resource counts as saturated.
const SATURATION_SLOWDOWN: f64 = 1.5;
/// The fraction of a run from which one file, or waiting, counts as dominant.
const DOMINANT: f64 = 0.8;

/// What limits the speedup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BottleneckKind {
    /// There is only one URL.
    OneUrl,
    /// The host refuses further connections.
    HostLimit,
    /// Waiting for a connection or a retry.
    Waiting,
    /// The whole workload takes too little time.
    TooSmall,
    /// The processors of this machine.
    Processor,
    /// Name resolution, connecting and TLS.
    Connecting,
    /// The link, or the server's output to it.
    Link,
    /// The server's response time.
    Server,
    /// One long file.
    LongestFile,
    /// The number of connections: more may be faster.
    Connections,
    /// None of these dominates.
    Unclear,
}

/// What limits the speedup, and a sentence that explains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bottleneck {
    #[serde(rename = "cause")]
    pub kind: BottleneckKind,
    pub sentence: String,
}

impl Bottleneck {
    /// The bottleneck of the runs `others`, compared with the sequential runs `baseline`. `None` if a side
    /// has no runs. `curve` has the speedups at all levels.
    pub(super) fn of(
        baseline: &[&RunRecord],
        others: &[&RunRecord],
        curve: &[Speedup],
    ) -> Option<Self> {
        let evidence = Evidence::new(baseline, others, curve)?;
        let found = evidence
            .small_workload()
            .or_else(|| evidence.slowing_processors())
            .or_else(|| evidence.refusals())
            .or_else(|| evidence.shared_resource());
        Some(found.unwrap_or_else(|| evidence.longest_file_or_connections()))
    }

    fn new(kind: BottleneckKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into() }
    }
}

impl Evidence {
    fn small_workload(&self) -> Option<Bottleneck> {
        if self.urls == 1 {
            let sentence = "There is only one URL, so nothing can be fetched concurrently.";
            return Some(Bottleneck::new(BottleneckKind::OneUrl, sentence));
        }
        (self.sequential_wall < NEGLIGIBLE_SECONDS).then(|| {
            let wall = Seconds::new(self.sequential_wall);
            let sentence =
                format!("The files are too small: one connection fetches all of them in {wall}.");
            Bottleneck::new(BottleneckKind::TooSmall, sentence)
        })
    }

    /// Other programs may use the processors too, so the fetches must also have become slower.
    fn slowing_processors(&self) -> Option<Bottleneck> {
        let is_slower = self.concurrent.busy >= PROCESSOR_SLOWDOWN * self.sequential.busy;
        self.full_processors().filter(|_| is_slower)
    }

    fn full_processors(&self) -> Option<Bottleneck> {
        let busy = self.processor.filter(|&busy| busy >= FULL_UTILISATION)?;
        let percent = Ratio::new(100.0 * busy);
        let sentence = format!("The processors of this machine were {percent} % busy.");
        Some(Bottleneck::new(BottleneckKind::Processor, sentence))
    }

    /// The host refused connections, or fetches waited for it.
    fn refusals(&self) -> Option<Bottleneck> {
        if let Some(limit) = self.host_limit.filter(|&limit| limit < self.usable()) {
            let connections = counted(limit, "connection", "connections");
            let sentence = format!(
                "The host accepts {connections} at once; {} of the {} requested had to wait.",
                self.concurrency - limit,
                self.concurrency
            );
            return Some(Bottleneck::new(BottleneckKind::HostLimit, sentence));
        }
        (self.waiting >= DOMINANT * self.wall).then(|| {
            let sentence = format!(
                "Waiting for the host or for a retry took {} in a run of {}, over all connections.",
                Seconds::new(self.waiting),
                Seconds::new(self.wall)
            );
            Bottleneck::new(BottleneckKind::Waiting, sentence)
        })
    }

    /// A resource that all fetches share, other than the processors.
    fn shared_resource(&self) -> Option<Bottleneck> {
        if self.connecting > self.concurrent.busy / 2.0 {
            let percent = Ratio::new(100.0 * self.connecting / self.concurrent.busy);
            let sentence = format!("Opening connections took {percent} % of the fetch time.");
            return Some(Bottleneck::new(BottleneckKind::Connecting, sentence));
        }
        if self.concurrent.busy < SATURATION_SLOWDOWN * self.sequential.busy {
            return None;
        }
        let transfer = self.concurrent.transfer - self.sequential.transfer;
        let first_byte = self.concurrent.first_byte - self.sequential.first_byte;
        let times =
            |concurrent: f64, sequential: f64| Ratio::new(concurrent / sequential.max(1e-9));
        Some(if transfer >= first_byte {
            let sentence = format!(
                "The link, or the server's output: transfers took {} times as long as sequentially, at {} \
                 in total.",
                times(self.concurrent.transfer, self.sequential.transfer),
                Rate::new(self.rate)
            );
            Bottleneck::new(BottleneckKind::Link, sentence)
        } else {
            let sentence = format!(
                "The server: its first byte took {} times as long as sequentially.",
                times(self.concurrent.first_byte, self.sequential.first_byte)
            );
            Bottleneck::new(BottleneckKind::Server, sentence)
        })
    }

    /// No shared resource is saturated: the longest file or the number of connections remains.
    fn longest_file_or_connections(&self) -> Bottleneck {
        let achieved = Ratio::new(self.achieved);
        // Many files of equal length keep all connections active to the end of the run.
        let is_uneven = self.sequential.busy <= self.sequential_longest * as_f64(self.usable());
        if is_uneven && self.longest >= DOMINANT * self.wall {
            let mut sentence = format!(
                "The longest file took {} of the {} of a run",
                Seconds::new(self.longest),
                Seconds::new(self.wall)
            );
            if self.urls <= self.concurrency {
                sentence.push_str(", and no file had to wait for another");
            }
            sentence.push('.');
            Bottleneck::new(BottleneckKind::LongestFile, sentence)
        } else if self.achieved >= DOMINANT * as_f64(self.usable()) {
            let active = format!("{achieved} of {} were active on average", self.concurrency);
            match &self.higher {
                HigherLevels::NotRun => Bottleneck::new(
                    BottleneckKind::Connections,
                    format!(
                        "The number of connections: {active}, without slowing the fetches much. More may be \
                         faster."
                    ),
                ),
                HigherLevels::Faster(best) => Bottleneck::new(
                    BottleneckKind::Connections,
                    format!(
                        "The number of connections: {active}, without slowing the fetches much. With {} the \
                         speedup was {}.",
                        best.concurrency, best.ratio
                    ),
                ),
                HigherLevels::NotFaster(best) => Bottleneck::new(
                    BottleneckKind::Unclear,
                    format!(
                        "Not the number of connections: {active}, but {} were not faster.",
                        best.concurrency
                    ),
                ),
            }
        } else if let Some(processors) = self.full_processors() {
            // They delayed the opening and the use of connections.
            processors
        } else {
            let sentence = format!(
                "Nothing dominates: {achieved} of {} connections were active on average.",
                self.usable()
            );
            Bottleneck::new(BottleneckKind::Unclear, sentence)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::synthetic::{limited_host, machine_cpu, synthetic_run};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The bottleneck of 20 files of a second each, on 10 connections, after a change to the concurrent run.
    fn bottleneck(change: impl FnOnce(&mut RunRecord)) -> BottleneckKind {
        let sequential = synthetic_run(1, 20, SECOND);
        let mut concurrent = synthetic_run(10, 20, SECOND);
        change(&mut concurrent);
        Bottleneck::of(&[&sequential], &[&concurrent], &[]).expect("both sides have a run").kind
    }

    /// Multiplies the phases of every fetch, and the time of the run.
    fn stretch(run: &mut RunRecord, first_byte: u32, transfer: u32) {
        for fetch in &mut run.fetches {
            fetch.phases.first_byte *= first_byte;
            fetch.phases.transfer *= transfer;
        }
        run.wall *= first_byte.max(transfer);
    }

    #[test]
    fn each_bottleneck_is_distinguished() {
        type Change = fn(&mut RunRecord);
        let cases: [(BottleneckKind, Change); 11] = [
            (BottleneckKind::Connections, |_| ()),
            (BottleneckKind::HostLimit, |run| run.host_limits = vec![limited_host(6)]),
            (BottleneckKind::Connections, |run| run.host_limits = vec![limited_host(10)]),
            (BottleneckKind::Waiting, |run| run.fetches[3].phases.waiting = run.wall),
            (BottleneckKind::Connections, |run| run.machine_cpu = Some(machine_cpu(0.9))),
            (BottleneckKind::Processor, |run| {
                run.machine_cpu = Some(machine_cpu(0.9));
                stretch(run, 1, 2);
            }),
            (BottleneckKind::Processor, |run| {
                run.host_limits = vec![limited_host(6)];
                run.machine_cpu = Some(machine_cpu(0.9));
                stretch(run, 1, 2);
            }),
            (BottleneckKind::Link, |run| stretch(run, 1, 4)),
            (BottleneckKind::Server, |run| stretch(run, 9, 1)),
            (BottleneckKind::Unclear, |run| run.wall *= 3),
            (BottleneckKind::Processor, |run| {
                run.machine_cpu = Some(machine_cpu(0.9));
                run.wall *= 3;
            }),
        ];
        for (expected, change) in cases {
            assert_eq!(bottleneck(change), expected);
        }
    }

    #[test]
    fn connecting_limits_when_it_takes_most_of_the_time() {
        let connecting = |run: &mut RunRecord| {
            for fetch in &mut run.fetches {
                fetch.phases.tls = 2 * SECOND;
            }
            run.wall *= 3;
        };
        assert_eq!(bottleneck(connecting), BottleneckKind::Connecting);
    }

    #[test]
    fn one_long_file_limits() {
        let with_one_long = |concurrency| {
            let mut run = synthetic_run(concurrency, 20, SECOND);
            run.fetches[19].phases.transfer += 10 * SECOND;
            run.wall += 10 * SECOND;
            run
        };
        let (sequential, concurrent) = (with_one_long(1), with_one_long(10));
        let found =
            Bottleneck::of(&[&sequential], &[&concurrent], &[]).expect("both sides have a run");
        assert_eq!(found.kind, BottleneckKind::LongestFile);
        assert_eq!(found.sentence, "The longest file took 11.0 s of the 12.0 s of a run.");
    }

    #[test]
    fn a_single_url_and_a_tiny_workload_come_before_everything_else() {
        for (urls, each, expected) in [
            (1, SECOND, BottleneckKind::OneUrl),
            (20, Duration::from_millis(2), BottleneckKind::TooSmall),
        ] {
            let (sequential, concurrent) =
                (synthetic_run(1, urls, each), synthetic_run(10, urls, each));
            let found =
                Bottleneck::of(&[&sequential], &[&concurrent], &[]).expect("both sides have a run");
            assert_eq!(found.kind, expected);
        }
        assert_eq!(Bottleneck::of(&[], &[], &[]), None);
    }
}
