//! Figures from which the bottleneck is determined: medians over the runs of each side, in seconds.

use super::super::measurement::{FetchRecord, RunRecord};
use super::super::scaling;
use super::curve::Speedup;
use super::runs::{median, wall_seconds};
use crate::client::Phases;

/// The minimum total duration of all runs for a meaningful processor utilisation: 20 ticks of the kernel.
const MIN_UTILISATION_SECONDS: f64 = 0.2;

/// Medians over the runs, of the concurrent side unless the name says otherwise. Times are in seconds.
pub(super) struct Evidence {
    pub(super) urls: usize,
    pub(super) concurrency: usize,
    /// The lowest number of connections that a host accepted, if one refused more.
    pub(super) host_limit: Option<usize>,
    pub(super) sequential_wall: f64,
    pub(super) wall: f64,
    /// The waiting of all fetches together.
    pub(super) waiting: f64,
    /// The utilisation of the processors, 0 to 1.
    pub(super) processor: Option<f64>,
    /// Name resolution, connecting and TLS of all fetches together.
    pub(super) connecting: f64,
    pub(super) sequential: Work,
    pub(super) concurrent: Work,
    /// The longest fetch of a sequential run.
    pub(super) sequential_longest: f64,
    /// The longest fetch of a run.
    pub(super) longest: f64,
    /// The average number of fetches in progress.
    pub(super) achieved: f64,
    /// Bytes per second of wall time.
    pub(super) rate: f64,
    pub(super) higher: HigherLevels,
}

/// Times of all fetches of a run together, in seconds.
pub(super) struct Work {
    pub(super) busy: f64,
    pub(super) first_byte: f64,
    pub(super) transfer: f64,
}

/// Whether higher levels of concurrency were faster.
pub(super) enum HigherLevels {
    /// There are none.
    NotRun,
    /// Yes; the fastest of them.
    Faster(Speedup),
    /// No; the fastest of them.
    NotFaster(Speedup),
}

impl HigherLevels {
    fn new(curve: &[Speedup], concurrency: usize) -> Self {
        let here = curve.iter().find(|point| point.concurrency == concurrency);
        let further = curve.iter().filter(|point| point.concurrency > concurrency);
        let best = further.max_by(|one, other| one.ratio.value().total_cmp(&other.ratio.value()));
        match (here, best) {
            (Some(here), Some(&best)) => {
                let is_faster = best.ratio.value() > (1.0 + scaling::MARGIN) * here.ratio.value();
                if is_faster { Self::Faster(best) } else { Self::NotFaster(best) }
            }
            _ => Self::NotRun,
        }
    }
}

impl Work {
    fn new(runs: &[&RunRecord]) -> Option<Self> {
        Some(Self {
            busy: median(runs, |run| run.busy().as_secs_f64())?,
            first_byte: sum(runs, |phases| phases.first_byte.as_secs_f64())?,
            transfer: sum(runs, |phases| phases.transfer.as_secs_f64())?,
        })
    }
}

/// The median, over the runs, of the sum of a phase over the fetches.
fn sum(runs: &[&RunRecord], phase: fn(&Phases) -> f64) -> Option<f64> {
    median(runs, |run| run.fetches.iter().map(|fetch| phase(&fetch.phases)).sum())
}

/// The processor utilisation in all these runs together, 0 to 1.
fn utilisation(runs: &[&RunRecord]) -> Option<f64> {
    let of_run =
        |run: &&RunRecord| run.machine_cpu.map(|cpu| (cpu.utilisation(), wall_seconds(run)));
    let known: Vec<(f64, f64)> = runs.iter().filter_map(of_run).collect();
    let wall: f64 = known.iter().map(|(_, wall)| wall).sum();
    let busy: f64 = known.iter().map(|(busy, wall)| busy * wall).sum();
    (wall >= MIN_UTILISATION_SECONDS).then(|| busy / wall)
}

impl Evidence {
    /// `None` if a side has no runs. `curve` has the speedups at all levels.
    pub(super) fn new(
        baseline: &[&RunRecord],
        others: &[&RunRecord],
        curve: &[Speedup],
    ) -> Option<Self> {
        let first = others.first()?;
        let longest = |run: &RunRecord| {
            let busy = run.fetches.iter().map(FetchRecord::busy);
            busy.max().unwrap_or_default().as_secs_f64()
        };
        Some(Self {
            urls: first.fetches.len(),
            concurrency: first.concurrency,
            host_limit: others.iter().filter_map(|run| run.host_limit()).min(),
            sequential_wall: median(baseline, wall_seconds)?,
            wall: median(others, wall_seconds)?,
            waiting: median(others, |run| run.waiting().as_secs_f64())?,
            processor: utilisation(others),
            connecting: sum(others, |p| (p.dns + p.connect + p.tls).as_secs_f64())?,
            sequential: Work::new(baseline)?,
            concurrent: Work::new(others)?,
            sequential_longest: median(baseline, longest)?,
            longest: median(others, longest)?,
            achieved: median(others, |run| {
                scaling::achieved_concurrency(run.busy().as_secs_f64(), wall_seconds(run))
            })?,
            #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
            rate: median(others, |run| run.bytes() as f64 / wall_seconds(run))?,
            higher: HigherLevels::new(curve, first.concurrency),
        })
    }

    /// The number of connections that could be active.
    pub(super) fn usable(&self) -> usize {
        self.concurrency.min(self.urls)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::synthetic::{machine_cpu, synthetic_run};
    use super::*;

    #[test]
    fn the_utilisation_of_short_runs_is_known_only_together() {
        let run = |millis, busy| RunRecord {
            wall: Duration::from_millis(millis),
            machine_cpu: Some(machine_cpu(busy)),
            ..synthetic_run(10, 20, Duration::from_secs(1))
        };
        let (first, second) = (run(150, 1.0), run(50, 0.6));
        assert_eq!(utilisation(&[&first]), None);
        let together = utilisation(&[&first, &second]).expect("they last 200 ms");
        assert!((together - 0.9).abs() < 1e-9, "{together}");
    }
}
