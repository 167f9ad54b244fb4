use std::time::Duration;

use super::super::super::measurement::{MachineCpu, RunRecord};
use super::super::super::synthetic::{limited_host, scheduled_run, synthetic_run};
use super::super::conditions::{BodyHandling, Conditions};
use super::super::curve::Speedup;
use super::super::evidence::Compared;
use super::super::side;
use super::*;
use crate::client::LearntLimit;

mod bounds;
mod opening_cost;
mod phases;
mod processors;
mod refusals;

const SECOND: Duration = Duration::from_secs(1);

/// The bottleneck of a pair of runs.
fn of_pair(sequential: &RunRecord, concurrent: &RunRecord, conditions: &Conditions) -> Bottleneck {
    let files = side::files(concurrent, &[sequential], &[concurrent]);
    find(&Compared {
        baseline: &[sequential],
        others: &[concurrent],
        files: &files,
        curve: &[],
        conditions,
    })
    .expect("both sides have a run")
}

/// The bottleneck of 20 files of a second each, on 10 connections, after a change to both runs.
fn found_after(
    change_sequential: impl FnOnce(&mut RunRecord),
    change: impl FnOnce(&mut RunRecord),
) -> Bottleneck {
    let mut sequential = synthetic_run(1, 20, SECOND);
    let mut concurrent = synthetic_run(10, 20, SECOND);
    change_sequential(&mut sequential);
    change(&mut concurrent);
    of_pair(&sequential, &concurrent, &Conditions { processors: 2, ..Conditions::default() })
}

/// The same, after a change to the concurrent run.
fn found(change: impl FnOnce(&mut RunRecord)) -> Bottleneck {
    found_after(|_| (), change)
}

/// Multiplies the phases of every fetch, and the time of the run.
fn stretch(run: &mut RunRecord, first_byte: u32, transfer: u32) {
    for fetch in &mut run.fetches {
        fetch.phases.first_byte *= first_byte;
        fetch.phases.transfer *= transfer;
    }
    run.wall *= first_byte.max(transfer);
}

/// Uses of two processors in a run: by all and by this program, each 0 to 1.
fn use_processors(run: &mut RunRecord, busy: f64, own: f64) {
    let total = 2 * run.wall;
    run.machine_cpu = Some(MachineCpu { busy: total.mul_f64(busy), total });
    run.own_cpu = Some(total.mul_f64(own));
}

/// Limits the run to this number of connections, on which the files take as long as before.
fn limit(run: &mut RunRecord, connections: usize) {
    let limited = synthetic_run(connections, 20, SECOND);
    run.wall = limited.wall;
    run.fetches = limited.fetches;
    run.host_limits = vec![limited_host(connections)];
}

#[test]
fn each_bottleneck_is_distinguished() {
    type Change = fn(&mut RunRecord);
    let cases: [(BottleneckKind, Change); 16] = [
        (BottleneckKind::Connections, |_| ()),
        (BottleneckKind::HostLimit, |run| limit(run, 6)),
        (BottleneckKind::HostLimit, |run| run.host_limits = vec![limited_host(10)]),
        // Two rounds, as with 10. One round would need 20.
        (BottleneckKind::HostLimit, |run| run.host_limits = vec![limited_host(12)]),
        (BottleneckKind::Connections, |run| run.host_limits = vec![limited_host(20)]),
        (BottleneckKind::Waiting, |run| {
            run.wall *= 2;
            run.fetches[3].phases.waiting = run.wall;
        }),
        (BottleneckKind::Connections, |run| use_processors(run, 0.9, 0.5)),
        (BottleneckKind::Processor, |run| {
            stretch(run, 1, 2);
            use_processors(run, 0.9, 0.5);
        }),
        // With more connections the processors would only be shared by more.
        (BottleneckKind::Processor, |run| {
            limit(run, 6);
            stretch(run, 1, 4);
            use_processors(run, 0.9, 0.5);
        }),
        (BottleneckKind::Link, |run| stretch(run, 1, 4)),
        (BottleneckKind::Server, |run| stretch(run, 9, 1)),
        (BottleneckKind::Disk, |run| {
            for fetch in &mut run.fetches {
                fetch.phases.write = 2 * SECOND;
            }
            run.wall *= 3;
        }),
        (BottleneckKind::Unclear, |run| run.wall *= 3),
        (BottleneckKind::Connections, |run| run.wall = run.wall * 3 / 2),
        (BottleneckKind::Processor, |run| {
            run.wall *= 3;
            use_processors(run, 0.9, 0.1);
        }),
        (BottleneckKind::Opening, |run| {
            run.wall *= 3;
            run.fetches[9].start = SECOND * 4;
            run.fetches[19].start = SECOND * 5;
        }),
    ];
    for (index, (expected, change)) in cases.into_iter().enumerate() {
        let found = found(change);
        assert_eq!(found.kind, expected, "{index}: {}", found.sentence);
    }
}

#[test]
fn a_single_url_and_a_tiny_workload_are_called_what_they_are() {
    for (urls, each, slowdown, expected) in [
        (1, SECOND, 1, BottleneckKind::OneUrl),
        (20, Duration::from_millis(2), 8, BottleneckKind::TooSmall),
        // Two rounds of two milliseconds: the schedule explains the run, however short.
        (20, Duration::from_millis(2), 1, BottleneckKind::Connections),
    ] {
        let (sequential, mut concurrent) =
            (synthetic_run(1, urls, each), synthetic_run(10, urls, each));
        concurrent.wall *= slowdown;
        let found = of_pair(&sequential, &concurrent, &Conditions::default());
        assert_eq!(found.kind, expected, "{}", found.sentence);
    }
    let conditions = Conditions::default();
    let (baseline, others, files, curve) = (&[], &[], &[], &[]);
    let none = Compared { baseline, others, files, curve, conditions: &conditions };
    assert_eq!(find(&none), None);
}

/// The second ten files come from another host.
fn from_two_hosts(run: &mut RunRecord) {
    for fetch in &mut run.fetches[10..] {
        fetch.url = fetch.url.replace("files.test", "slow.test").into();
    }
}
