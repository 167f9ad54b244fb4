use std::time::Duration;

use super::super::super::measurement::{MachineCpu, RunRecord};
use super::super::super::synthetic::{limited_host, scheduled_run, synthetic_run};
use super::super::conditions::{BodyHandling, Conditions};
use super::super::curve::Speedup;
use super::super::evidence::Compared;
use super::super::side;
use super::*;
use crate::client::LearntLimit;

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
fn content_that_is_discarded_is_not_written() {
    let sequential = synthetic_run(1, 20, SECOND);
    let mut concurrent = synthetic_run(10, 20, SECOND);
    for fetch in &mut concurrent.fetches {
        fetch.phases.write = 2 * SECOND;
    }
    concurrent.wall *= 3;
    for (bodies, kind, shown) in [
        (BodyHandling::Saved, BottleneckKind::Disk, "writing the files took 66.7 %"),
        (BodyHandling::Discarded, BottleneckKind::Processor, "hashing the content took 66.7 %"),
    ] {
        let conditions = Conditions { bodies, ..Conditions::default() };
        let found = of_pair(&sequential, &concurrent, &conditions);
        assert_eq!(found.kind, kind, "{}", found.sentence);
        assert!(found.sentence.contains(shown), "{}", found.sentence);
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
    assert_eq!(found(connecting).kind, BottleneckKind::Connecting);
}

#[test]
fn opening_is_no_long_file() {
    // A round trip of 20 ms to open a connection, and one for each file.
    let far = |concurrency: usize, hidden: bool| {
        let mut run = synthetic_run(concurrency, 10, Duration::from_millis(20));
        for fetch in &mut run.fetches[..concurrency] {
            let round_trip = Duration::from_millis(20);
            let seen = if hidden { Duration::from_micros(50) } else { round_trip };
            fetch.phases.connect = seen;
            // A relay accepts at once, and then responds late.
            fetch.phases.first_byte += round_trip.saturating_sub(seen);
        }
        run.wall += Duration::from_millis(20);
        run
    };
    for hidden in [false, true] {
        let none = Conditions::default();
        let (mut sequential, mut concurrent) = (far(1, hidden), far(10, hidden));
        let found = of_pair(&sequential, &concurrent, &none);
        assert_eq!(found.kind, BottleneckKind::FileCount, "{}", found.sentence);
        assert!(found.sentence.contains("which takes 20.0 ms more"), "{}", found.sentence);
        // A long first file remains one.
        for run in [&mut sequential, &mut concurrent] {
            run.fetches[0].phases.transfer *= 10;
            run.wall += Duration::from_millis(135);
        }
        let found = of_pair(&sequential, &concurrent, &none);
        assert_eq!(found.kind, BottleneckKind::LongestFile, "{}", found.sentence);
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

#[test]
fn the_bound_of_the_schedule_is_named() {
    let none = Conditions::default();
    let at_most_three = Conditions { max_per_host: Some(3), ..Conditions::default() };
    let one_long = [[1.0; 9].as_slice(), &[11.0], &[1.0; 10]].concat();
    let long_last = [[1.0; 39].as_slice(), &[4.0]].concat();
    for (concurrency, seconds, conditions, kind, shown) in [
        (2, &[1.0, 1.02][..], &none, BottleneckKind::FileCount, "each of the 2 had a connection"),
        (10, &[1.0; 4], &none, BottleneckKind::FileCount, "each of the 4 had a connection"),
        (20, &[0.02; 20], &none, BottleneckKind::FileCount, "each of the 20"),
        (10, &one_long, &none, BottleneckKind::LongestFile, "http://files.test/9 takes 11.0 s"),
        (
            10,
            &long_last,
            &none,
            BottleneckKind::FileOrder,
            "http://files.test/39, which takes 4.00 s",
        ),
        (10, &long_last, &none, BottleneckKind::FileOrder, "about 5.00 s rather than 7.00 s"),
        (
            12,
            &[1.0; 20],
            &none,
            BottleneckKind::Connections,
            "13 to 19 would gain little or nothing, and 20 may be faster",
        ),
        (
            8,
            &[1.0; 20],
            &none,
            BottleneckKind::Connections,
            " 9 would gain little or nothing, and 10 may be faster",
        ),
        (
            10,
            &[1.0; 200],
            &none,
            BottleneckKind::Connections,
            "active on average. More may be faster.",
        ),
        (
            10,
            &[1.0; 20],
            &at_most_three,
            BottleneckKind::MaxPerHost,
            "--max-per-host allows 3 connections",
        ),
    ] {
        let mut concurrent = scheduled_run(conditions.max_per_host.unwrap_or(concurrency), seconds);
        concurrent.concurrency = concurrency;
        let found = of_pair(&scheduled_run(1, seconds), &concurrent, conditions);
        assert_eq!(found.kind, kind, "{concurrency}: {}", found.sentence);
        assert!(found.sentence.contains(shown), "{concurrency}: {}", found.sentence);
    }
}

#[test]
fn levels_that_were_run_answer_whether_more_connections_gain() {
    let point = |concurrency: usize, ratio: f64| Speedup::synthetic(concurrency, ratio);
    for (concurrency, curve, kind, shown) in [
        (
            4,
            vec![point(4, 4.0), point(10, 9.8)],
            BottleneckKind::Connections,
            "With 10 the speedup was 9.80.",
        ),
        (4, vec![point(4, 4.0), point(10, 4.1)], BottleneckKind::Unclear, "but 10 were not faster"),
        // 16 connections need as many rounds as 12: that they were not faster says nothing about 20.
        (12, vec![point(12, 9.9), point(16, 9.9)], BottleneckKind::Connections, "20 may be faster"),
    ] {
        let (sequential, concurrent) =
            (synthetic_run(1, 20, SECOND), synthetic_run(concurrency, 20, SECOND));
        let files = side::files(&concurrent, &[&sequential], &[&concurrent]);
        let found = find(&Compared {
            baseline: &[&sequential],
            others: &[&concurrent],
            files: &files,
            curve: &curve,
            conditions: &Conditions::default(),
        });
        let found = found.expect("both sides have a run");
        assert_eq!(found.kind, kind, "{}", found.sentence);
        assert!(found.sentence.contains(shown), "{}", found.sentence);
    }
}

/// 50 connections at once to a server whose queue has five places.
#[test]
fn connections_that_open_just_behind_whole_seconds_name_the_listen_queue() {
    let overflow = |run: &mut RunRecord| {
        for (fetch, late) in run.fetches.iter_mut().zip([0, 1, 1, 3, 0, 1, 0, 3, 7, 1]) {
            fetch.phases.connect = Duration::from_millis(1000 * late + 1);
            fetch.phases.first_byte = Duration::from_millis(2);
            fetch.phases.transfer = Duration::ZERO;
        }
        run.wall = Duration::from_secs(7);
        use_processors(run, 0.97, 0.01);
    };
    let quick = |run: &mut RunRecord| {
        for fetch in &mut run.fetches {
            fetch.phases.first_byte = Duration::from_millis(2);
            fetch.phases.transfer = Duration::ZERO;
        }
        run.wall = Duration::from_millis(49);
    };
    let found = found_after(quick, overflow);
    assert_eq!(found.kind, BottleneckKind::ListenQueue, "{}", found.sentence);
    assert!(found.sentence.contains("7 of 10 connections"), "{}", found.sentence);
    assert!(found.sentence.contains("request_queue_size"), "{}", found.sentence);
    // First bytes can have another reason.
    let late_bytes = found_after(quick, |run| {
        overflow(run);
        for fetch in &mut run.fetches {
            std::mem::swap(&mut fetch.phases.connect, &mut fetch.phases.first_byte);
        }
    });
    assert_eq!(late_bytes.kind, BottleneckKind::ListenQueue, "{}", late_bytes.sentence);
    assert!(late_bytes.sentence.contains("or pauses of the server"), "{}", late_bytes.sentence);
    // Times that do not cluster have another reason.
    let spread = found_after(quick, |run| {
        overflow(run);
        for (fetch, late) in run.fetches.iter_mut().zip(6..) {
            fetch.phases.connect = Duration::from_millis(150 * late);
        }
    });
    assert_ne!(spread.kind, BottleneckKind::ListenQueue, "{}", spread.sentence);
}

#[test]
fn rejections_that_no_limit_of_connections_explains_name_the_rate() {
    let rejected = |run: &mut RunRecord, number: u32| {
        for fetch in run.fetches.iter_mut().rev().zip(0..number).map(|(fetch, _)| fetch) {
            (fetch.attempts, fetch.rejections) = (2, 1);
        }
        let rejections = number;
        run.host_limits = vec![LearntLimit { rejections, is_advertised: false, ..limited_host(1) }];
    };
    // Ten were taken at a time, and then only one.
    let burst = found(|run| {
        rejected(run, 10);
        run.wall *= 5;
    });
    assert_eq!(burst.kind, BottleneckKind::RequestRate, "{}", burst.sentence);
    assert!(burst.sentence.contains("although it had taken 10 at a time"), "{}", burst.sentence);
    assert!(burst.sentence.contains("2.00 files a second"), "{}", burst.sentence);
    // One connection alone was rejected too.
    let alone = found_after(
        |run| rejected(run, 10),
        |run| {
            rejected(run, 19);
            run.wall *= 5;
        },
    );
    assert_eq!(alone.kind, BottleneckKind::RequestRate, "{}", alone.sentence);
    // Another host took the ten.
    let from_others = |run: &mut RunRecord| {
        for fetch in &mut run.fetches[..10] {
            fetch.url = "http://other.test/".into();
        }
    };
    let others = found_after(from_others, |run| {
        from_others(run);
        rejected(run, 10);
        run.wall *= 5;
    });
    assert_ne!(others.kind, BottleneckKind::RequestRate, "{}", others.sentence);
    // A server that is overloaded (503) says nothing about the number of requests.
    let overloaded = found(|run| {
        rejected(run, 10);
        run.host_limits.clear();
        run.wall *= 5;
        run.fetches[19].phases.waiting = run.wall;
    });
    assert_eq!(overloaded.kind, BottleneckKind::Waiting, "{}", overloaded.sentence);
    assert!(overloaded.sentence.contains("a host rejected 10 in a run"), "{}", overloaded.sentence);
    // No more than the limit were ever taken at a time.
    let connections = found(|run| {
        limit(run, 5);
        run.host_limits[0].rejections = 5;
        for fetch in &mut run.fetches[5..10] {
            (fetch.attempts, fetch.rejections) = (2, 1);
        }
    });
    assert_eq!(connections.kind, BottleneckKind::HostLimit, "{}", connections.sentence);
}

#[test]
fn the_processors_are_busy_for_someone() {
    // The work for the fetches, 8 s of two processors: 20 s at 0.2, and 4 s at 1.
    let for_the_fetches = found_after(
        |run| use_processors(run, 0.2, 0.1),
        |run| {
            stretch(run, 1, 2);
            use_processors(run, 1.0, 0.4);
        },
    );
    assert_eq!(for_the_fetches.kind, BottleneckKind::Processor);
    assert!(
        for_the_fetches
            .sentence
            .contains("40.0 % of that by this program, 60.0 % by others that serve the fetches"),
        "{}",
        for_the_fetches.sentence
    );
    // Always nearly as busy, however long the run; or nobody knows how busy they were without the fetches. The
    // transfers grew, so that the link is a candidate too.
    let foreign = |run: &mut RunRecord| {
        stretch(run, 1, 2);
        use_processors(run, 0.97, 0.05);
    };
    let always_busy = found_after(|run| use_processors(run, 0.95, 0.02), foreign);
    for (found, expected) in
        [(always_busy, "5.15 % of that"), (found(foreign), "the rest by the server, if")]
    {
        assert_eq!(found.kind, BottleneckKind::Link, "{}", found.sentence);
        assert!(found.sentence.contains("Or the processors"), "{}", found.sentence);
        assert!(found.sentence.contains(expected), "{}", found.sentence);
    }
    // The fetches took as long as before: it is the threads of this program that had to wait.
    let waiting = found_after(
        |run| use_processors(run, 0.95, 0.02),
        |run| {
            run.wall *= 3;
            use_processors(run, 0.97, 0.05);
        },
    );
    assert_eq!(waiting.kind, BottleneckKind::OtherLoad, "{}", waiting.sentence);
    let hidden =
        "the rest by unrelated programs or a server on this machine, which cannot be told apart";
    assert!(waiting.sentence.contains(hidden), "{}", waiting.sentence);
}

#[test]
fn a_program_that_may_use_one_of_two_processors_is_limited_by_it() {
    let (sequential, mut concurrent) =
        (synthetic_run(1, 20, SECOND), synthetic_run(10, 20, SECOND));
    stretch(&mut concurrent, 1, 2);
    use_processors(&mut concurrent, 0.55, 0.48);
    for (processors, kind) in [(1, BottleneckKind::Processor), (2, BottleneckKind::Link)] {
        let conditions = Conditions { processors, ..Conditions::default() };
        let found = of_pair(&sequential, &concurrent, &conditions);
        assert_eq!(found.kind, kind, "{}", found.sentence);
    }
}

#[test]
fn a_server_with_one_thread_is_named_if_it_is_known_to_serve_the_fetches() {
    // Work of 4 s here and 2.4 s in the server.
    let one_thread = |run: &mut RunRecord| {
        stretch(run, 4, 1);
        use_processors(run, 0.6, 0.1);
    };
    let known = found_after(|run| use_processors(run, 0.24, 0.04), one_thread);
    assert_eq!(known.kind, BottleneckKind::Processor, "{}", known.sentence);
    assert!(known.sentence.contains("used 1.00 of the 2 processors"), "{}", known.sentence);
    let candidate = found(one_thread);
    assert_eq!(candidate.kind, BottleneckKind::Server, "{}", candidate.sentence);
    assert!(candidate.sentence.contains("works in one thread"), "{}", candidate.sentence);
}

#[test]
fn load_of_others_does_not_hide_the_limit_of_the_host() {
    let foreign = |run: &mut RunRecord| {
        limit(run, 3);
        stretch(run, 1, 2);
        use_processors(run, 0.97, 0.02);
    };
    for found in [found_after(|run| use_processors(run, 0.95, 0.01), foreign), found(foreign)] {
        assert_eq!(found.kind, BottleneckKind::HostLimit, "{}", found.sentence);
        assert!(found.sentence.contains("97.0 % busy"), "{}", found.sentence);
    }
}

#[test]
fn a_limit_that_costs_more_than_slower_fetches_comes_first() {
    // Without the limit of 4, ten connections would take 2 s instead of 5.
    for (slowdown, kind) in [(2, BottleneckKind::HostLimit), (3, BottleneckKind::Link)] {
        let found = found(|run| {
            limit(run, 4);
            stretch(run, 1, slowdown);
        });
        assert_eq!(found.kind, kind, "{}", found.sentence);
        assert!(found.sentence.contains("The link, or the server's output"), "{}", found.sentence);
    }
}

#[test]
fn a_fetch_that_was_delayed_is_no_long_file() {
    let delayed = |by: u32| {
        found(move |run| {
            run.fetches[3].phases.transfer += by * SECOND;
            run.wall += by * SECOND;
        })
    };
    let found = delayed(4);
    assert_eq!(found.kind, BottleneckKind::Unclear);
    let expected = "One fetch took 5.00 s of the 6.00 s of a run, and sequentially none took longer than 1.00 s";
    assert!(found.sentence.starts_with(expected), "{}", found.sentence);
    assert_eq!(delayed(1).kind, BottleneckKind::Connections, "{}", delayed(1).sentence);
}

#[test]
fn behind_a_proxy_either_may_be_slow() {
    let (sequential, mut concurrent) =
        (synthetic_run(1, 20, SECOND), synthetic_run(10, 20, SECOND));
    stretch(&mut concurrent, 10, 1);
    let proxies = vec!["http://proxy.test:3128/".to_owned()];
    let conditions = Conditions { proxies, ..Conditions::default() };
    let found = of_pair(&sequential, &concurrent, &conditions);
    assert_eq!(found.kind, BottleneckKind::ProxyOrServer);
    assert!(found.sentence.starts_with("The proxy or the server: "), "{}", found.sentence);
}

#[test]
fn the_requests_that_a_server_works_on_at_a_time_are_named() {
    // 20 s of work in 6.67 s.
    let three = found(|run| {
        stretch(run, 9, 1);
        run.wall = SECOND * 20 / 3;
    });
    assert_eq!(three.kind, BottleneckKind::Server, "{}", three.sentence);
    assert!(
        three.sentence.contains("only 3.00 requests were served at a time"),
        "{}",
        three.sentence
    );
}

#[test]
fn two_phases_that_grew_alike_are_both_named() {
    let found = found(|run| {
        for fetch in &mut run.fetches {
            fetch.phases.first_byte *= 7;
            fetch.phases.transfer *= 2;
        }
        run.wall *= 4;
    });
    assert_eq!(found.kind, BottleneckKind::Server);
    assert!(found.sentence.contains("transfers grew too, to 2.00 times"), "{}", found.sentence);
}

/// The second ten files come from another host.
fn from_two_hosts(run: &mut RunRecord) {
    for fetch in &mut run.fetches[10..] {
        fetch.url = fetch.url.replace("files.test", "slow.test").into();
    }
}

#[test]
fn of_several_hosts_the_slow_one_is_named() {
    let found = found_after(from_two_hosts, |run| {
        from_two_hosts(run);
        for fetch in &mut run.fetches[10..] {
            fetch.phases.first_byte *= 21;
        }
        run.wall = 10 * SECOND;
    });
    assert_eq!(found.kind, BottleneckKind::Server, "{}", found.sentence);
    let expected = "The server at http://slow.test: with 10 connections a first byte took 21.0 times as long as \
                    with one, as if only 1.00 requests were served at a time.";
    assert_eq!(found.sentence, expected);
}

#[test]
fn a_limit_of_connections_of_one_host_is_no_rate_because_another_takes_more() {
    let found = found_after(from_two_hosts, |run| {
        from_two_hosts(run);
        // Eight at a time from the first, two from the second.
        for (fetch, number) in run.fetches.iter_mut().zip(0..) {
            let round = if number < 10 { number / 8 } else { (number - 10) / 2 };
            fetch.start = SECOND * round;
        }
        run.wall = 5 * SECOND;
        run.fetches[19].rejections = 2;
        let host = "http://slow.test".to_owned();
        run.host_limits = vec![LearntLimit { host, rejections: 2, ..limited_host(2) }];
    });
    assert_eq!(found.kind, BottleneckKind::HostLimit, "{}", found.sentence);
    assert!(found.sentence.starts_with("http://slow.test accepts 2"), "{}", found.sentence);
}

/// 24 files of 10 ms on 8 connections, whose first response takes this many milliseconds longer.
fn slow_first_responses(sequential: u64, concurrent: u64, wall: u64) -> Bottleneck {
    let late = |concurrency: usize, millis| {
        let mut run = synthetic_run(concurrency, 24, Duration::from_millis(10));
        for fetch in &mut run.fetches[..concurrency] {
            fetch.phases.connect = Duration::from_micros(50);
            fetch.phases.first_byte += Duration::from_millis(millis);
        }
        run.wall += Duration::from_millis(millis);
        run
    };
    let mut many = late(8, concurrent);
    many.wall = Duration::from_millis(wall);
    of_pair(&late(1, sequential), &many, &Conditions::default())
}

#[test]
fn slow_first_responses_are_the_opening_of_connections() {
    for (concurrent, wall, shown) in [
        (100, 130, "Each connection had to be opened first, which takes 100 ms more"),
        // The schedule does not explain the run.
        (120, 200, "Opening connections took 80."),
        (30_400, 30_430, "takes the next only when an earlier one is closed"),
    ] {
        let sequential = if concurrent == 30_400 { 0 } else { 100 };
        let found = slow_first_responses(sequential, concurrent, wall);
        assert_eq!(found.kind, BottleneckKind::Connecting, "{}", found.sentence);
        assert!(found.sentence.contains(shown), "{}", found.sentence);
    }
}

#[test]
fn a_file_with_a_late_response_is_no_opening_because_it_comes_first() {
    let long_first = |concurrency| {
        let mut run = synthetic_run(concurrency, 13, Duration::from_millis(30));
        for fetch in &mut run.fetches[..concurrency] {
            fetch.phases.connect = Duration::from_micros(50);
        }
        run.fetches[0].phases.first_byte += Duration::from_millis(370);
        run.wall = Duration::from_millis(if concurrency == 1 { 760 } else { 410 });
        run
    };
    let found = of_pair(&long_first(1), &long_first(6), &Conditions::default());
    assert_eq!(found.kind, BottleneckKind::LongestFile, "{}", found.sentence);
}

#[test]
fn responses_of_another_host_do_not_tell_what_opening_costs() {
    let found = found_after(from_two_hosts, |run| {
        from_two_hosts(run);
        for fetch in &mut run.fetches[10..] {
            fetch.phases.connect = Duration::from_micros(50);
            fetch.phases.first_byte *= 22;
        }
        run.wall = 10 * SECOND;
    });
    assert_eq!(found.kind, BottleneckKind::Server, "{}", found.sentence);
}
