//! How much of the machine's processors the concurrent runs used, and for whom.
//!
//! The work for the fetches, here and in a server on the same machine, is about the same in a run of either
//! side. The work of unrelated programs grows with the length of a run. Runs of different lengths therefore
//! tell them apart: if `B` is the busy time of a run and `T` its wall time, unrelated programs use
//! `(B₁ − B₂) / (T₁ − T₂)` processors.

use super::super::measurement::RunRecord;
use super::super::statistics::as_f64;
use super::runs::wall_seconds;

/// The minimum duration of all runs of a side together: 20 ticks of the kernel.
const MIN_SECONDS: f64 = 0.2;
/// The relative difference of the lengths of the runs from which unrelated work can be told apart.
const MIN_DIFFERENCE: f64 = 0.25;

/// Fractions of the time of all processors, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ProcessorUse {
    /// The number of processors of the machine.
    pub(super) processors: f64,
    pub(super) busy: f64,
    /// By this program; `None` if not known.
    pub(super) own: Option<f64>,
    /// By unrelated programs; `None` if they cannot be told apart.
    pub(super) unrelated: Option<f64>,
}

/// Seconds of an average run.
struct AverageRun {
    wall: f64,
    own: Option<f64>,
    busy: f64,
    total: f64,
}

impl ProcessorUse {
    /// `None` if it is not known or the concurrent runs were too short.
    pub(super) fn new(baseline: &[&RunRecord], others: &[&RunRecord]) -> Option<Self> {
        let run = AverageRun::new(others)?;
        let (busy, own) = (run.busy / run.total, run.own.map(|own| (own / run.total).min(1.0)));
        let unrelated = AverageRun::new(baseline).and_then(|sequential| {
            let difference = sequential.wall - run.wall;
            let is_different = difference.abs() >= MIN_DIFFERENCE * sequential.wall.max(run.wall);
            let processors = (sequential.busy - run.busy) / difference;
            let most = (busy - own.unwrap_or(0.0)).max(0.0);
            is_different.then(|| (processors * run.wall / run.total).clamp(0.0, most))
        });
        Some(Self { processors: run.total / run.wall, busy, own, unrelated })
    }

    /// By other programs that worked for the fetches, such as a server on this machine. If unrelated programs
    /// cannot be told apart, they are included.
    pub(super) fn others(&self) -> f64 {
        (self.busy - self.own.unwrap_or(0.0) - self.unrelated.unwrap_or(0.0)).max(0.0)
    }
}

impl AverageRun {
    fn new(runs: &[&RunRecord]) -> Option<Self> {
        let known: Vec<_> = runs.iter().filter_map(|run| Some((*run, run.machine_cpu?))).collect();
        let sum = |figure: &dyn Fn(&RunRecord) -> f64| -> f64 {
            known.iter().map(|(run, _)| figure(run)).sum()
        };
        let wall = sum(&wall_seconds);
        if wall < MIN_SECONDS {
            return None;
        }
        let count = as_f64(known.len());
        let own: Option<f64> = known.iter().map(|(run, _)| Some(run.own_cpu?.as_secs_f64())).sum();
        let busy: f64 = known.iter().map(|(_, cpu)| cpu.busy.as_secs_f64()).sum();
        let total: f64 = known.iter().map(|(_, cpu)| cpu.total.as_secs_f64()).sum();
        Some(Self {
            wall: wall / count,
            own: own.map(|own| own / count),
            busy: busy / count,
            total: total / count,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::measurement::MachineCpu;
    use super::super::super::synthetic::synthetic_run;
    use super::*;

    /// A run of this length on two processors, of which programs used these seconds.
    fn run(millis: u64, busy: f64, own: f64) -> RunRecord {
        let wall = Duration::from_millis(millis);
        RunRecord {
            wall,
            machine_cpu: Some(MachineCpu { busy: Duration::from_secs_f64(busy), total: 2 * wall }),
            own_cpu: Some(Duration::from_secs_f64(own)),
            ..synthetic_run(1, 4, Duration::from_millis(200))
        }
    }

    fn of(sequential: &RunRecord, concurrent: &RunRecord) -> [f64; 4] {
        let found = ProcessorUse::new(&[sequential], &[concurrent]).expect("long runs");
        let unrelated = found.unrelated.unwrap_or(f64::NAN);
        [found.busy, found.own.unwrap_or(f64::NAN), unrelated, found.others()]
    }

    #[test]
    fn unrelated_work_grows_with_the_length_of_a_run() {
        for (sequential, concurrent, expected) in [
            // Work of 1 s for the fetches, of which 0.4 s here; nothing else.
            (run(2000, 1.0, 0.4), run(1000, 1.0, 0.4), [0.5, 0.2, 0.0, 0.3]),
            // The same, and half a processor for others.
            (run(2000, 2.0, 0.4), run(1000, 1.5, 0.4), [0.75, 0.2, 0.25, 0.3]),
            // Others take all that is left.
            (run(2000, 4.0, 0.1), run(1000, 2.0, 0.1), [1.0, 0.05, 0.95, 0.0]),
            // More connections cost more work: that is nobody else's.
            (run(2000, 1.0, 0.4), run(1000, 1.6, 0.6), [0.8, 0.3, 0.0, 0.5]),
        ] {
            for (found, expected) in of(&sequential, &concurrent).into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{found}, not {expected}: {concurrent:?}");
            }
        }
        // Runs of about the same length do not tell them apart.
        let [.., unrelated, others] = of(&run(1000, 1.5, 0.4), &run(900, 1.5, 0.4));
        assert!(unrelated.is_nan() && others > 0.6, "{unrelated} {others}");
    }

    #[test]
    fn the_use_of_short_runs_is_known_only_together() {
        let (first, second) = (run(150, 0.3, 0.1), run(50, 0.06, 0.02));
        assert_eq!(ProcessorUse::new(&[], &[&first]), None);
        let together = ProcessorUse::new(&[], &[&first, &second]).expect("they last 200 ms");
        assert!((together.busy - 0.9).abs() < 1e-9, "{together:?}");
        assert!((together.processors - 2.0).abs() < 1e-9, "{together:?}");
    }
}
