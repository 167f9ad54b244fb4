//! What the runs of both sides show of what limits the speedup: medians, in seconds; nothing is judged.

use super::super::measurement::{FetchRecord, RunRecord};
use super::super::scaling;
use super::{Point, median, side};
use crate::client::Phases;

/// How long all runs together must be for the share of the processors to say anything: twenty ticks of the
/// kernel's clock.
const TELLING_SECONDS: f64 = 0.2;

/// Medians over the runs of each side, in seconds.
pub(super) struct Evidence {
    pub(super) urls: usize,
    pub(super) concurrency: usize,
    pub(super) host_limit: Option<usize>,
    pub(super) sequential_wall: f64,
    pub(super) wall: f64,
    pub(super) waiting: f64,
    pub(super) processor: Option<f64>,
    pub(super) connecting: f64,
    pub(super) sequential: Work,
    pub(super) concurrent: Work,
    /// The longest fetch, alone and in company.
    pub(super) longest_alone: f64,
    pub(super) longest: f64,
    pub(super) achieved: f64,
    pub(super) rate: f64,
    pub(super) beyond: Beyond,
}

/// The work of a run, in seconds of all fetches together.
pub(super) struct Work {
    pub(super) busy: f64,
    pub(super) first_byte: f64,
    pub(super) transfer: f64,
}

/// What more connections than these were seen to gain.
pub(super) enum Beyond {
    Untried,
    Gain(Point),
    NoGain(Point),
}

impl Beyond {
    fn new(curve: &[Point], concurrency: usize) -> Self {
        let here = curve.iter().find(|point| point.concurrency == concurrency);
        let further = curve.iter().filter(|point| point.concurrency > concurrency);
        let best = further.max_by(|one, other| one.ratio.value().total_cmp(&other.ratio.value()));
        match (here, best) {
            (Some(here), Some(&best)) => {
                let gains = best.ratio.value() > (1.0 + scaling::MARGIN) * here.ratio.value();
                if gains { Self::Gain(best) } else { Self::NoGain(best) }
            }
            _ => Self::Untried,
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

/// The median, over the runs, of a phase's sum over the fetches.
fn sum(runs: &[&RunRecord], phase: fn(&Phases) -> f64) -> Option<f64> {
    median(runs, |run| run.fetches.iter().map(|fetch| phase(&fetch.phases)).sum())
}

/// The share of the processors' time that was used in all these runs, 0 to 1.
fn processor_share(runs: &[&RunRecord]) -> Option<f64> {
    let of_run = |run: &&RunRecord| run.processor_busy.map(|busy| (busy, side::wall(run)));
    let known: Vec<(f64, f64)> = runs.iter().filter_map(of_run).collect();
    let wall: f64 = known.iter().map(|(_, wall)| wall).sum();
    let busy: f64 = known.iter().map(|(busy, wall)| busy * wall).sum();
    (wall >= TELLING_SECONDS).then(|| busy / wall)
}

impl Evidence {
    /// What the runs show, or `None` of none; `curve` has the speedups of all levels.
    pub(super) fn new(
        baseline: &[&RunRecord],
        others: &[&RunRecord],
        curve: &[Point],
    ) -> Option<Self> {
        let first = others.first()?;
        let longest = |run: &RunRecord| {
            let busy = run.fetches.iter().map(FetchRecord::busy);
            busy.max().unwrap_or_default().as_secs_f64()
        };
        Some(Self {
            urls: first.fetches.len(),
            concurrency: first.concurrency,
            host_limit: others.iter().filter_map(|run| run.host_limit).min(),
            sequential_wall: median(baseline, side::wall)?,
            wall: median(others, side::wall)?,
            waiting: median(others, |run| run.waiting().as_secs_f64())?,
            processor: processor_share(others),
            connecting: sum(others, |p| (p.dns + p.connect + p.tls).as_secs_f64())?,
            sequential: Work::new(baseline)?,
            concurrent: Work::new(others)?,
            longest_alone: median(baseline, longest)?,
            longest: median(others, longest)?,
            achieved: median(others, |run| {
                scaling::achieved_concurrency(run.busy().as_secs_f64(), side::wall(run))
            })?,
            #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
            rate: median(others, |run| run.bytes() as f64 / side::wall(run))?,
            beyond: Beyond::new(curve, first.concurrency),
        })
    }

    /// How many connections could be at work.
    pub(super) fn usable(&self) -> usize {
        self.concurrency.min(self.urls)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::scripted::complete_run;
    use super::*;

    #[test]
    fn short_runs_tell_of_the_processors_only_together() {
        let of_ticks = |millis, busy| RunRecord {
            wall: Duration::from_millis(millis),
            processor_busy: Some(busy),
            ..complete_run(10, 20, Duration::from_secs(1))
        };
        let (first, second) = (of_ticks(150, 1.0), of_ticks(50, 0.6));
        assert_eq!(processor_share(&[&first]), None);
        let together = processor_share(&[&first, &second]).expect("they last 200 ms");
        assert!((together - 0.9).abs() < 1e-9, "{together}");
    }
}
