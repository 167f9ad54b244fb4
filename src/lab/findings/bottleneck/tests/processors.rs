use super::*;

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
