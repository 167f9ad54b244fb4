use super::*;

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
