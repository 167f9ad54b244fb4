//! Noise: pairs that stand out, a drift over the runs, and scatter of the ratios.
//!
//! The result is the median of the ratios within the pairs, so it is these that count, not the times of each
//! side. All figures are differences of logarithms: 0.1 is about 10 %, whichever run is the longer.

use super::super::experiment::Trial;
use super::super::figures::{Ratio, listed};
use super::super::measurement::RunRecord;
use super::super::statistics::{Sample, as_f64};
use super::runs::wall_seconds;

/// The fewest pairs of which one can stand out or whose runs can show a trend.
const FEWEST_PAIRS: usize = 4;
/// How many scaled median absolute deviations from the median a pair stands out. Of normally distributed
/// ratios one does so in 6 % of experiments with 6 pairs, in 1.5 % with 20. (Beyond 3 it is 20 % of both.)
const OUTLYING: f64 = 5.0;
/// A pair closer to the median than this does not stand out, however close the others are.
const NEAR_MEDIAN: f64 = 0.05;
/// The scaled median absolute deviation of the ratios from which scatter is mentioned.
const NOTABLE_SCATTER: f64 = 0.1;
/// The change from the first run to the last from which a drift is mentioned.
const NOTABLE_DRIFT: f64 = 0.05;
/// The standard score of Kendall's S beyond which a trend is unlikely to be chance (two-sided p = 0.01).
const SIGNIFICANT: f64 = 2.576;
/// The runs of which a trend is looked for among all pairs: a thousand take no time, and more need memory that
/// grows with their square.
const MOST_COMPARED: usize = 1000;
/// Makes the median absolute deviation an estimate of the standard deviation of a normal distribution.
const NORMAL_SCALE: f64 = 1.4826;

/// The notes, one sentence each.
pub(super) fn notes(trial: &Trial) -> Vec<String> {
    let (baseline, others) = (trial.baseline(), trial.summarised());
    if baseline.len() < FEWEST_PAIRS {
        return Vec::new();
    }
    let drift = drift(trial).filter(|drift| drift.total.abs() >= NOTABLE_DRIFT);
    let slope = drift.as_ref().map_or(0.0, |drift| drift.a_run);
    // Without the drift, which otherwise is scatter: it changes sign with the order of a pair.
    let ratio = |(one, other): (&&RunRecord, &&RunRecord)| {
        logarithm(one) - logarithm(other) - slope * (as_f64(one.order) - as_f64(other.order))
    };
    let ratios: Vec<f64> = baseline.iter().zip(&others).map(ratio).collect();
    let Some(sample) = Sample::new(ratios.clone()) else { return Vec::new() };
    let (median, scatter) = (sample.median(), NORMAL_SCALE * sample.median_absolute_deviation());
    let far = (OUTLYING * scatter).max(NEAR_MEDIAN);
    let outlying: Vec<usize> =
        (0..ratios.len()).filter(|&index| (ratios[index] - median).abs() > far).collect();
    let mut notes = Vec::new();
    if !outlying.is_empty() {
        let shown = |index: &usize| {
            Ratio::new((logarithm(baseline[*index]) - logarithm(others[*index])).exp()).to_string()
        };
        let pairs = listed(outlying.iter().map(|index| (index + 1).to_string()));
        let ratios = listed(outlying.iter().map(shown));
        let median = Ratio::new(median.exp());
        notes.push(if outlying.len() == 1 {
            format!("Pair {pairs} stands out: its ratio is {ratios}, and the median is {median}.")
        } else {
            format!(
                "Pairs {pairs} stand out: their ratios are {ratios}, and the median is {median}."
            )
        });
    }
    if let Some(drift) = &drift {
        let (direction, change) = if drift.total > 0.0 {
            ("slower", drift.total.exp() - 1.0)
        } else {
            ("faster", 1.0 - drift.total.exp())
        };
        notes.push(format!(
            "The runs became {direction} during the experiment, by about {} % from the first to the last: a \
             drift. A steady one cancels in the ratio.",
            Ratio::new(100.0 * change)
        ));
    }
    if scatter > NOTABLE_SCATTER {
        let trend = if drift.is_some() { "beside the drift" } else { "without a trend" };
        notes.push(format!(
            "The ratios of the pairs scatter by {} %, {trend}; more pairs would narrow the interval.",
            Ratio::new(100.0 * scatter)
        ));
    }
    notes
}

fn logarithm(run: &RunRecord) -> f64 {
    wall_seconds(run).ln()
}

/// A trend of the times over the order of the runs.
struct Drift {
    /// The change from one run to the next.
    a_run: f64,
    /// The change from the first run to the last.
    total: f64,
}

/// The trend of the runs, each compared with the median of its level; `None` if it may be chance. Of many runs,
/// some at equal distances are taken.
///
/// The test is H. B. Mann's, *Nonparametric Tests Against Trend*, Econometrica 13 (1945),
/// <https://doi.org/10.2307/1907187>, with Kendall's S; the slope is the median of all pairs of runs (P. K. Sen,
/// JASA 63, 1968, <https://doi.org/10.1080/01621459.1968.10480934>).
fn drift(trial: &Trial) -> Option<Drift> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for level in 0..trial.schedule.levels().len() {
        let runs = trial.runs_at(level);
        let median = Sample::new(runs.iter().map(|run| logarithm(run)).collect())?.median();
        points.extend(runs.iter().map(|run| (as_f64(run.order), logarithm(run) - median)));
    }
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let step = points.len().div_ceil(MOST_COMPARED).max(1);
    let points: Vec<_> = points.into_iter().step_by(step).collect();
    let (mut s, mut slopes) = (0.0, Vec::new());
    for (index, later) in points.iter().enumerate() {
        for earlier in &points[..index] {
            let (runs, change) = (later.0 - earlier.0, later.1 - earlier.1);
            s += if change == 0.0 { 0.0 } else { change.signum() };
            slopes.push(change / runs);
        }
    }
    let n = as_f64(points.len());
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let a_run = Sample::new(slopes)?.median();
    let length = points.last()?.0 - points.first()?.0;
    (s.abs() - 1.0 > SIGNIFICANT * deviation).then_some(Drift { a_run, total: a_run * length })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::experiment::EndReason;
    use super::super::super::schedule::Schedule;
    use super::super::super::synthetic::synthetic_run;
    use super::*;

    /// The notes of 8 pairs with a ratio of 2, in the order A B B A. `factor` changes the time of a run by its
    /// position, from 1.
    fn notes_of(factor: impl Fn(usize) -> f64) -> Vec<String> {
        notes_of_pairs(8, factor)
    }

    fn notes_of_pairs(pairs: usize, factor: impl Fn(usize) -> f64) -> Vec<String> {
        let run = |concurrency, order: usize, seconds: f64| RunRecord {
            order,
            wall: Duration::from_secs_f64(seconds * factor(order)),
            ..synthetic_run(concurrency, 4, Duration::from_millis(200))
        };
        let round = |index: usize| {
            let (first, second) = (2 * index + 1, 2 * index + 2);
            let (one, many) =
                if index.is_multiple_of(2) { (first, second) } else { (second, first) };
            vec![run(1, one, 2.0), run(4, many, 1.0)]
        };
        notes(&Trial {
            schedule: Schedule::compare(4),
            warm_up: run(4, 0, 1.0),
            rounds: (0..pairs).map(round).collect(),
            end: EndReason::Complete,
            elapsed: Duration::from_secs(1),
        })
    }

    /// A fixed factor between 1 and 1 + `most` for each run, without a trend.
    fn scattered(order: usize, most: f64) -> f64 {
        1.0 + most * as_f64(order * 7919 % 17) / 16.0
    }

    #[test]
    fn quiet_runs_have_no_note() {
        for notes in [notes_of(|_| 1.0), notes_of(|order| scattered(order, 0.04))] {
            assert_eq!(notes, [""; 0]);
        }
        // Steady, but for 4 % in one pair.
        assert_eq!(notes_of(|order| if order == 5 { 1.04 } else { 1.0 }), [""; 0]);
    }

    #[test]
    fn scatter_is_told_from_drift() {
        let [scatter] = &notes_of(|order| scattered(order, 0.6))[..] else { panic!("one note") };
        assert!(scatter.starts_with("The ratios of the pairs scatter by "), "{scatter}");
        assert!(scatter.contains("without a trend; more pairs"), "{scatter}");
        let [drift] = &notes_of(|order| 1.0 + 0.1 * as_f64(order))[..] else { panic!("one note") };
        assert!(drift.starts_with("The runs became slower during the experiment"), "{drift}");
        assert!(drift.contains("by about 1") && !drift.contains("scatter"), "{drift}");
        let faster = notes_of(|order| 0.97_f64.powi(i32::try_from(order).expect("few runs")));
        let expected =
            "The runs became faster during the experiment, by about 36.7 % from the first";
        assert!(faster[0].starts_with(expected), "{faster:?}");
        let both = notes_of(|order| scattered(order, 0.6) * (1.0 + 0.2 * as_f64(order)));
        assert!(both.iter().any(|note| note.contains("beside the drift")), "{both:?}");
    }

    #[test]
    fn a_drift_over_thousands_of_runs_is_found_in_some_of_them() {
        let notes = notes_of_pairs(1600, |order| 1.0 + 1e-4 * as_f64(order));
        let [drift] = &notes[..] else { panic!("{notes:?}") };
        assert!(drift.contains("slower during the experiment, by about 3"), "{drift}");
        let steady = notes_of_pairs(1600, |order| scattered(order, 0.04));
        assert_eq!(steady, [""; 0]);
    }

    #[test]
    fn pairs_that_stand_out_are_named() {
        // Run 7 belongs to the fourth pair, whose order is reversed: it has four connections.
        let one = notes_of(|order| if order == 7 { 1.6 } else { scattered(order, 0.04) });
        assert_eq!(one.len(), 1, "{one:?}");
        assert!(one[0].starts_with("Pair 4 stands out: its ratio is 1.2"), "{one:?}");
        let two = notes_of(|order| match order {
            7 => 1.6,
            9 => 1.5,
            _ => scattered(order, 0.04),
        });
        assert!(two[0].starts_with("Pairs 4 and 5 stand out: their ratios are 1.2"), "{two:?}");
        // Also on a slope.
        let drifting =
            notes_of(|order| (1.0 + 0.1 * as_f64(order)) * if order == 7 { 1.8 } else { 1.0 });
        assert!(drifting[0].starts_with("Pair 4 stands out"), "{drifting:?}");
        assert!(drifting[1].contains("became slower"), "{drifting:?}");
    }
}
