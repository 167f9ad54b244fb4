//! Medians, spreads and intervals of repeated runs: pure functions of numbers.
//!
//! The ratio of two programs' times is judged from pairs of runs that stand next to each other in
//! time, because a machine and a network drift: the ratio is taken within each pair, and the pairs are
//! resampled. The median rather than the mean, because one disturbed run must not carry the result.
//! What the numbers say about concurrency stands in [`scaling`](super::scaling).

use super::random::SplitMix64;

/// How many times [`bootstrap_median`] resamples.
///
/// The tail of five pairs, the smallest sample that [`Interval`] is claimed from, is then met by some
/// five hundred resamples.
pub const RESAMPLES: usize = 10_000;

/// The fewest pairs whose range covers their true median with about 95 % (93.75 %).
///
/// See [`range_coverage`].
pub const FEWEST_PAIRS: usize = 5;

/// A count as a real number; exact below 2⁵³.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of runs, files and bytes stay below 2^53")]
pub(crate) const fn real(count: usize) -> f64 {
    count as f64
}

/// A non-empty sample of finite numbers, in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// The sample of these values in any order, or `None` where there is none or one is not finite.
    #[must_use]
    pub fn new(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some(Self(values))
    }

    /// The values in ascending order.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The quantile at `p` (0 to 1; what is outside is taken for the nearer end).
    ///
    /// Definition 7 of R. J. Hyndman and Y. Fan, *Sample Quantiles in Statistical Packages*, The
    /// American Statistician 50 (1996), <https://doi.org/10.2307/2684934>: linear between the values
    /// around the position (n − 1)·p, which is also the default of R and of `NumPy`.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        let last = self.0.len() - 1;
        let position = real(last) * p.clamp(0.0, 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 ≤ position ≤ last, whose floor is the index wanted"
        )]
        let below = (position.floor() as usize).min(last);
        let above = (below + 1).min(last);
        let share = position - real(below);
        self.0[below] + share * (self.0[above] - self.0[below])
    }

    /// The middle value, or the mean of the two middle ones.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The first and third quartiles, between which the middle half lies.
    #[must_use]
    pub fn quartiles(&self) -> Interval {
        Interval { low: self.quantile(0.25), high: self.quantile(0.75) }
    }

    /// The median absolute deviation from the median, unscaled.
    ///
    /// F. R. Hampel, *The Influence Curve and Its Role in Robust Estimation*, JASA 69 (1974),
    /// <https://doi.org/10.1080/01621459.1974.10482962>. Times 1.4826 it estimates the standard
    /// deviation of normal data.
    #[must_use]
    pub fn median_absolute_deviation(&self) -> f64 {
        let median = self.median();
        let deviations = self.0.iter().map(|value| (value - median).abs()).collect();
        Self::new(deviations).map_or(0.0, |sample| sample.median())
    }

    /// The spread relative to the median: 1.4826 · MAD / median, or 0 for a median of 0.
    #[must_use]
    pub fn relative_spread(&self) -> f64 {
        let median = self.median();
        if median == 0.0 { 0.0 } else { 1.4826 * self.median_absolute_deviation() / median.abs() }
    }
}

/// Two ends, `low` ≤ `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// How many times as long each baseline run took as the run it is paired with: its speedups.
///
/// Pairs are by position; what has no partner is left out. The times are in one unit, and above 0.
#[must_use]
pub fn paired_ratios(baseline: &[f64], other: &[f64]) -> Vec<f64> {
    baseline.iter().zip(other).map(|(baseline, other)| baseline / other).collect()
}

/// The interval of 95 % for the median of which `sample` was drawn, by the bootstrap.
///
/// The sample is drawn anew with replacement [`RESAMPLES`] times; the interval is what lies between the
/// expanded percentiles of the medians. Plain percentiles (2.5 and 97.5 %) are too narrow for few
/// pairs: seven would cover the truth 87.5 times in 100. The expansion replaces the tail α/2 by
/// Φ(−√(n/(n−1))·t₁₋α/₂,ₙ₋₁), as in T. Hesterberg, *What Teachers Should Know about the Bootstrap*, The
/// American Statistician 69 (2015), <https://doi.org/10.1080/00031305.2015.1089789>; the bootstrap is
/// B. Efron's, Annals of Statistics 7 (1979), <https://doi.org/10.1214/aos/1176344552>.
///
/// The same sample and seed give the same interval. `None` for fewer than two values, which say nothing
/// of their spread.
#[must_use]
pub fn bootstrap_median(sample: &Sample, seed: u64) -> Option<Interval> {
    let values = sample.values();
    if values.len() < 2 {
        return None;
    }
    let mut random = SplitMix64::new(seed);
    let mut medians = Vec::with_capacity(RESAMPLES);
    // Ranks are drawn and counted rather than values sorted: the sample is in order already.
    let mut drawn = vec![0_usize; values.len()];
    for _ in 0..RESAMPLES {
        drawn.fill(0);
        for _ in values {
            drawn[random.below(values.len())] += 1;
        }
        medians.push(median_of_counted(values, &drawn));
    }
    let medians = Sample::new(medians)?;
    let tail = expanded_tail(values.len());
    Some(Interval { low: medians.quantile(tail), high: medians.quantile(1.0 - tail) })
}

/// The median of `values`, in ascending order, each taken as many times as `counts` says; as many are
/// taken in all as there are values.
fn median_of_counted(values: &[f64], counts: &[usize]) -> f64 {
    let (lower, upper) = ((values.len() - 1) / 2, values.len() / 2);
    let at = |position: usize| {
        let mut passed = 0;
        let rank = counts.iter().position(|count| {
            passed += count;
            passed > position
        });
        values[rank.expect("the counts sum to the number of values")]
    };
    f64::midpoint(at(lower), at(upper))
}

/// The tail left out on each side for 95 % of `pairs` values (see [`bootstrap_median`]).
///
/// Computed by `SciPy` 1.17.1: `norm.cdf(-sqrt(n/(n-1)) * t.ppf(0.975, n-1))`. Beyond 30 values the
/// distance to 0.025 falls as 1/n (at n = 50 the rule gives 0.0213, the formula 0.0212).
fn expanded_tail(pairs: usize) -> f64 {
    const TAILS: [f64; 29] = [
        0.0, 0.0, 0.00012, 0.00095, 0.00243, 0.00411, 0.00574, 0.00722, 0.00855, 0.00972, 0.01076,
        0.01167, 0.01248, 0.01321, 0.01386, 0.01444, 0.01497, 0.01544, 0.01588, 0.01628, 0.01665,
        0.01698, 0.01729, 0.01758, 0.01785, 0.01810, 0.01833, 0.01855, 0.01875,
    ];
    match pairs {
        0..2 => TAILS[0],
        2..=30 => TAILS[pairs - 2],
        _ => 0.025 - 0.183 / real(pairs),
    }
}

/// The chance that the range of so many values, from the least to the greatest, covers their median.
///
/// It is 1 − 2^(1−n) whatever the distribution (H. A. David and H. N. Nagaraja, *Order Statistics*,
/// §7.1): no interval from n pairs can promise more without assuming more.
#[must_use]
pub fn range_coverage(pairs: usize) -> f64 {
    let halvings = i32::try_from(pairs).unwrap_or(i32::MAX).saturating_sub(1);
    if pairs == 0 { 0.0 } else { 1.0 - 0.5_f64.powi(halvings) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::contextualize_config;

    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).expect("the values of a test are finite")
    }

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
    }

    /// Computed by `numpy.quantile(x, p, method="linear")`, `NumPy` 2.4.6.
    #[test]
    fn quantiles_are_those_of_numpy() {
        let runs = sample(&[12.1, 11.8, 12.6, 12.0, 19.3, 12.2, 11.9, 12.4]);
        let few = sample(&[3.2, 1.0, 2.5]);
        for (sample, p, expected) in [
            (&runs, 0.0, 11.8),
            (&runs, 0.025, 11.8175),
            (&runs, 0.25, 11.975),
            (&runs, 0.5, 12.15),
            (&runs, 0.75, 12.45),
            (&runs, 0.9, 14.61),
            (&runs, 0.975, 18.1275),
            (&runs, 1.0, 19.3),
            (&few, 0.1, 1.3),
            (&few, 0.25, 1.75),
            (&few, 0.5, 2.5),
            (&few, 0.75, 2.85),
        ] {
            let quantile = sample.quantile(p);
            assert!(close(quantile, expected), "{p}: {quantile} is not {expected}");
        }
    }

    /// Computed by `scipy.stats.median_abs_deviation` and `iqr`, `SciPy` 1.17.1.
    #[test]
    fn spreads_are_those_of_scipy() {
        let runs = sample(&[12.1, 11.8, 12.6, 12.0, 19.3, 12.2, 11.9, 12.4]);
        let middle = runs.quartiles();
        assert!(close(runs.median_absolute_deviation(), 0.25));
        assert!(close(middle.high - middle.low, 0.475));
        assert!(close(sample(&[3.2, 1.0, 2.5]).median_absolute_deviation(), 0.7));
    }

    #[test]
    fn a_sample_is_neither_empty_nor_infinite() {
        for values in [vec![], vec![1.0, f64::NAN], vec![f64::INFINITY]] {
            assert_eq!(Sample::new(values), None);
        }
    }

    /// For an odd n the bootstrap's distribution of the median is known: the median of a resample is
    /// at most the k-th value with the chance P(Binomial(n, k/n) ≥ (n+1)/2). `scipy.stats.binom`,
    /// `SciPy` 1.17.1, puts the expanded tails (0.00095, 0.00411, 0.00722, 0.01321) at these ranks.
    #[test]
    fn the_bootstrap_finds_the_order_statistics_of_its_exact_distribution() {
        for (n, low, high) in [(5, 1, 5), (7, 1, 7), (9, 2, 8), (15, 4, 12)] {
            let ranks: Vec<f64> = (1..=n).map(f64::from).collect();
            let interval = bootstrap_median(&sample(&ranks), 1).expect("more than one value");
            assert!(close(interval.low, f64::from(low)), "{n}: {interval:?}");
            assert!(close(interval.high, f64::from(high)), "{n}: {interval:?}");
        }
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(bootstrap_median(&sample(&[2.0]), 1), None);
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let ratios = sample(&[1.9, 2.3, 2.0, 2.8, 2.1, 2.4]);
        assert_eq!(bootstrap_median(&ratios, 42), bootstrap_median(&ratios, 42));
    }

    #[test]
    fn the_range_of_five_is_the_first_to_cover_about_95_in_100() {
        for (pairs, coverage) in
            [(0, 0.0), (1, 0.0), (2, 0.5), (3, 0.75), (4, 0.875), (FEWEST_PAIRS, 0.9375)]
        {
            assert!(close(range_coverage(pairs), coverage), "{pairs}");
        }
    }

    /// A number drawn from a normal distribution: Irwin and Hall's sum of twelve uniform ones.
    fn normal(random: &mut SplitMix64) -> f64 {
        (0..12).map(|_| real(random.below(1 << 30)) / real(1 << 30)).sum::<f64>() - 6.0
    }

    /// Pairs with a true ratio of 3 and noise that both runs of a pair share, and some of their own.
    #[test]
    fn the_interval_covers_the_truth_at_about_its_level() {
        const EXPERIMENTS: u64 = 120;
        let mut random = SplitMix64::new(2024);
        for pairs in [5, 8, 11] {
            let mut covered = 0;
            for seed in 0..EXPERIMENTS {
                let (mut baseline, mut other) = (Vec::new(), Vec::new());
                for _ in 0..pairs {
                    let weather = (0.3 * normal(&mut random)).exp();
                    baseline.push(3.0 * weather * (0.05 * normal(&mut random)).exp());
                    other.push(weather * (0.05 * normal(&mut random)).exp());
                }
                let ratios = sample(&paired_ratios(&baseline, &other));
                let interval = bootstrap_median(&ratios, seed).expect("more than one pair");
                covered += u64::from(interval.low <= 3.0 && 3.0 <= interval.high);
            }
            // 93.75 % less three standard deviations of a binomial(120, 0.9375).
            assert!((104..=120).contains(&covered), "{pairs} pairs: {covered} of {EXPERIMENTS}");
        }
    }

    proptest! {
        // `PROPTEST_CASES` in the environment comes before this number.
        #![proptest_config(contextualize_config(ProptestConfig::with_cases(32)))]

        #[test]
        fn a_run_against_itself_gains_nothing(times in prop::collection::vec(0.001_f64..1e4, 2..12)) {
            let ratios = sample(&paired_ratios(&times, &times));
            let interval = bootstrap_median(&ratios, 5).expect("more than one pair");
            prop_assert!(close(ratios.median(), 1.0));
            prop_assert!(close(interval.low, 1.0) && close(interval.high, 1.0));
        }

        #[test]
        fn another_unit_of_time_changes_no_ratio(
            pairs in prop::collection::vec((0.001_f64..1e4, 0.001_f64..1e4), 2..12),
            unit in 0.001_f64..1e4,
        ) {
            let (baseline, other): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let scaled = |times: &[f64]| times.iter().map(|t| t * unit).collect::<Vec<_>>();
            let ratios = sample(&paired_ratios(&baseline, &other));
            let again = sample(&paired_ratios(&scaled(&baseline), &scaled(&other)));
            prop_assert!(close(ratios.median(), again.median()));
            let (first, second) = (bootstrap_median(&ratios, 5), bootstrap_median(&again, 5));
            let (first, second) = (first.expect("pairs"), second.expect("pairs"));
            prop_assert!(close(first.low, second.low) && close(first.high, second.high));
        }

        #[test]
        fn a_quantile_lies_within_the_sample(
            values in prop::collection::vec(-1e6_f64..1e6, 1..40),
            p in -0.5_f64..1.5,
        ) {
            let sample = sample(&values);
            let quantile = sample.quantile(p);
            prop_assert!(sample.values()[0] <= quantile);
            prop_assert!(quantile <= sample.values()[values.len() - 1]);
        }
    }
}
