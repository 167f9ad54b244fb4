use super::*;

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
