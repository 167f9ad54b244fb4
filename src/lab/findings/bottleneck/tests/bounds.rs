use super::*;

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
