//! A drift of the machine or the network cancels: equal sides have a ratio of 1.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http_concurrent::client::Phases;
use http_concurrent::lab::experiment::{Clock, Executor, conduct};
use http_concurrent::lab::findings::{Claim, Conditions, Findings};
use http_concurrent::lab::measurement::{Ending, FetchRecord, RunRecord};
use http_concurrent::lab::schedule::Schedule;

/// The time of a run in seconds, by its position in the experiment.
type Shape = fn(f64) -> f64;

/// Runs with one fetch, whose time depends on their position in the experiment alone.
struct Drifting {
    seconds: Shape,
    runs: u32,
    now: Rc<Cell<Duration>>,
}

impl Executor for Drifting {
    fn run(&mut self, concurrency: usize) -> RunRecord {
        let wall = Duration::from_secs_f64((self.seconds)(f64::from(self.runs)));
        self.runs += 1;
        self.now.set(self.now.get() + wall);
        let fetch = FetchRecord {
            url: "http://files.test/".into(),
            bytes: 1024,
            ending: Ending::Complete(200),
            digest: Some("digest".to_owned()),
            lane: 0,
            start: Duration::ZERO,
            phases: Phases { transfer: wall, ..Phases::default() },
            attempts: 1,
            rejections: 0,
        };
        RunRecord::new(concurrency, wall, vec![fetch])
    }
}

struct Watch(Rc<Cell<Duration>>);

impl Clock for Watch {
    fn elapsed(&self) -> Duration {
        self.0.get()
    }
}

fn findings(seconds: Shape, schedule: Schedule) -> Findings {
    let now = Rc::new(Cell::new(Duration::ZERO));
    let mut executor = Drifting { seconds, runs: 0, now: Rc::clone(&now) };
    Findings::new(conduct(schedule, &mut executor, &Watch(now)), Conditions::default())
}

#[test]
fn a_drift_or_a_step_leaves_equal_sides_equal() {
    let shapes: [(&str, Shape); 5] = [
        ("10 % more each run", |run| 1.0 + 0.1 * run),
        ("50 % longer each run", |run| 1.5_f64.powf(run)),
        ("shorter each run", |run| 10.0 / (1.0 + 0.1 * run)),
        ("a step between rounds", |run| if run < 5.0 { 1.0 } else { 2.0 }),
        ("a step within a round", |run| if run < 6.0 { 1.0 } else { 2.0 }),
    ];
    for (shape, seconds) in shapes {
        for pairs in [6, 8, 12] {
            for schedule in [Schedule::compare(10), Schedule::null(10)] {
                let findings = findings(seconds, schedule.with_rounds(pairs));
                let ratio = findings.speedup.unwrap().ratio.value();
                assert!((ratio - 1.0).abs() < 0.004, "{shape}, {pairs} pairs: {ratio}");
                assert_eq!(findings.claim, Claim::NotMeasurable, "{shape}: {}", findings.headline);
            }
        }
    }
}

/// With 5 pairs the ratio was 0.954, and with 11 it was 0.969.
#[test]
fn an_odd_number_of_pairs_is_raised_and_this_is_said() {
    for asked in [5, 11] {
        let schedule = Schedule::compare(10).with_rounds(asked);
        let findings = findings(|run| 1.0 + 0.1 * run, schedule);
        assert_eq!(findings.pairs.planned, asked + 1);
        let ratio = findings.speedup.unwrap().ratio.value();
        assert!((ratio - 1.0).abs() < 0.004, "{asked}: {ratio}");
        let said = format!("{} pairs instead of {asked}", asked + 1);
        assert!(findings.notes.iter().any(|note| note.contains(&said)), "{:?}", findings.notes);
    }
}

#[test]
fn an_experiment_that_ends_early_has_both_orders_equally_often() {
    // The warm-up and nine rounds take 190 s.
    let schedule = Schedule::compare(10).with_rounds(20).with_max_time(Duration::from_secs(199));
    let findings = findings(|run| 1.0 + run, schedule);
    assert_eq!(findings.rounds.len(), 9, "{:?}", findings.notes);
    assert_eq!(findings.pairs.measured, 8);
    let notes = findings.notes.join(" ");
    assert!(notes.contains("The last pair is not used: with 9"), "{notes}");
}
