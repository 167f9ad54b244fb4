use super::*;

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
