//! Medians, spreads and confidence intervals of repeated runs. Pure functions of numbers.
//!
//! A speedup is estimated from pairs of runs that were made shortly after each other, because machines
//! and networks drift: the ratio is computed within each pair, and the pairs are resampled. The median is
//! used instead of the mean, because one disturbed run must not determine the result.

use super::random::SplitMix64;

/// The number of resamples in [`bootstrap_median`].
pub const RESAMPLES: usize = 10_000;

/// The fewest pairs that support a confidence interval of about 95 %: the range of five covers the true
/// median with a probability of 93.75 % (see [`range_coverage`]).
pub const MIN_PAIRS: usize = 5;

/// Converts a count; exact below 2⁵³.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of runs, files and bytes stay below 2^53")]
pub(crate) const fn as_f64(count: usize) -> f64 {
    count as f64
}

/// A non-empty sample of finite numbers, in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Makes a sample of values in any order; `None` if there are no values or one is not finite.
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

    /// The quantile at `p`, which is limited to 0 to 1.
    ///
    /// Definition 7 of R. J. Hyndman and Y. Fan, *Sample Quantiles in Statistical Packages*, The
    /// American Statistician 50 (1996), <https://doi.org/10.2307/2684934>: linear interpolation at the
    /// position (n − 1)·p, the default of R and `NumPy`.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        let last = self.0.len() - 1;
        let position = as_f64(last) * p.clamp(0.0, 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 ≤ position ≤ last, whose floor is the index wanted"
        )]
        let below = (position.floor() as usize).min(last);
        let above = (below + 1).min(last);
        let share = position - as_f64(below);
        self.0[below] + share * (self.0[above] - self.0[below])
    }

    /// The middle value, or the mean of the two middle ones.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The first and third quartiles.
    #[must_use]
    pub fn quartiles(&self) -> Interval {
        Interval { low: self.quantile(0.25), high: self.quantile(0.75) }
    }

    /// The median absolute deviation from the median, unscaled.
    ///
    /// F. R. Hampel, *The Influence Curve and Its Role in Robust Estimation*, JASA 69 (1974),
    /// <https://doi.org/10.1080/01621459.1974.10482962>. Multiplied by 1.4826, it estimates the standard
    /// deviation of normally distributed data.
    #[must_use]
    pub fn median_absolute_deviation(&self) -> f64 {
        let median = self.median();
        let deviations = self.0.iter().map(|value| (value - median).abs()).collect();
        Self::new(deviations).map_or(0.0, |sample| sample.median())
    }

    /// A robust coefficient of variation: 1.4826 · MAD / |median|; 0 if the median is 0.
    #[must_use]
    pub fn relative_spread(&self) -> f64 {
        let median = self.median();
        if median == 0.0 { 0.0 } else { 1.4826 * self.median_absolute_deviation() / median.abs() }
    }
}

/// An interval with `low` ≤ `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The speedup of each pair: the baseline time divided by the other time.
///
/// Times are paired by position; unpaired ones are ignored. All times have the same unit and are above 0.
#[must_use]
pub fn paired_ratios(baseline: &[f64], other: &[f64]) -> Vec<f64> {
    baseline.iter().zip(other).map(|(baseline, other)| baseline / other).collect()
}

/// The 95 % confidence interval of the median, by an expanded percentile bootstrap.
///
/// The sample is resampled with replacement [`RESAMPLES`] times. The interval lies between two
/// percentiles of the medians of the resamples. Plain percentiles (2.5 and 97.5 %) are too narrow for small
/// samples: with seven values they cover the true median with a probability of 87.5 %. The expansion
/// replaces the tail α/2 by Φ(−√(n/(n−1))·t₁₋α/₂,ₙ₋₁), as in T. Hesterberg, *What Teachers Should Know about
/// the Bootstrap*, The American Statistician 69 (2015), <https://doi.org/10.1080/00031305.2015.1089789>. The
/// bootstrap is B. Efron's, Annals of Statistics 7 (1979), <https://doi.org/10.1214/aos/1176344552>.
///
/// The same sample and seed give the same interval. `None` for fewer than two values.
#[must_use]
pub fn bootstrap_median(sample: &Sample, seed: u64) -> Option<Interval> {
    let values = sample.values();
    if values.len() < 2 {
        return None;
    }
    let mut random = SplitMix64::new(seed);
    let mut medians = Vec::with_capacity(RESAMPLES);
    // The sample is sorted, so counting the drawn ranks avoids sorting each resample.
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

/// The median of a resample, which contains each of `values`, in ascending order, `counts` times. The
/// counts sum to the number of values.
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

/// The expanded tail of [`bootstrap_median`] for a sample of `pairs` values.
///
/// Computed with `SciPy` 1.17.1: `norm.cdf(-sqrt(n/(n-1)) * t.ppf(0.975, n-1))`. For more than 30 values,
/// the distance to 0.025 is proportional to 1/n (at n = 50: 0.0213, exactly 0.0212).
fn expanded_tail(pairs: usize) -> f64 {
    const TAILS: [f64; 29] = [
        0.0, 0.0, 0.00012, 0.00095, 0.00243, 0.00411, 0.00574, 0.00722, 0.00855, 0.00972, 0.01076,
        0.01167, 0.01248, 0.01321, 0.01386, 0.01444, 0.01497, 0.01544, 0.01588, 0.01628, 0.01665,
        0.01698, 0.01729, 0.01758, 0.01785, 0.01810, 0.01833, 0.01855, 0.01875,
    ];
    match pairs {
        0..2 => TAILS[0],
        2..=30 => TAILS[pairs - 2],
        _ => 0.025 - 0.183 / as_f64(pairs),
    }
}

/// The probability that the range of `pairs` values, from the smallest to the largest, covers the true
/// median.
///
/// It is 1 − 2^(1−n) for every continuous distribution (H. A. David and H. N. Nagaraja, *Order Statistics*,
/// §7.1), the most that n values can support without further assumptions.
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
        assert!(close(runs.relative_spread(), 1.4826 * 0.25 / 12.15));
        assert!(close(sample(&[-3.0, -2.0, -1.0]).relative_spread(), 1.4826 / 2.0));
        assert!(close(sample(&[-1.0, 0.0, 1.0]).relative_spread(), 0.0));
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
    fn one_value_has_no_interval_and_two_have_their_range() {
        assert_eq!(bootstrap_median(&sample(&[2.0]), 1), None);
        let range = Interval { low: 2.0, high: 5.0 };
        assert_eq!(bootstrap_median(&sample(&[5.0, 2.0]), 1), Some(range));
    }

    #[test]
    fn the_expanded_tail_grows_with_the_number_of_values() {
        for (pairs, tail) in [
            (0, 0.0),
            (1, 0.0),
            (2, 0.0),
            (3, 0.0),
            (4, 0.00012),
            (5, 0.00095),
            (15, 0.01321),
            (29, 0.01855),
            (30, 0.01875),
            (31, 0.025 - 0.183 / 31.0),
            (50, 0.02134),
        ] {
            assert!(close(expanded_tail(pairs), tail), "{pairs}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let ratios = sample(&[1.9, 2.3, 2.0, 2.8, 2.1, 2.4]);
        assert_eq!(bootstrap_median(&ratios, 42), bootstrap_median(&ratios, 42));
    }

    #[test]
    fn the_range_of_five_is_the_first_to_cover_about_95_in_100() {
        for (pairs, coverage) in
            [(0, 0.0), (1, 0.0), (2, 0.5), (3, 0.75), (4, 0.875), (MIN_PAIRS, 0.9375)]
        {
            assert!(close(range_coverage(pairs), coverage), "{pairs}");
        }
    }

    /// An approximately normally distributed number: the sum of twelve uniform ones (Irwin–Hall).
    fn normal(random: &mut SplitMix64) -> f64 {
        (0..12).map(|_| as_f64(random.below(1 << 30)) / as_f64(1 << 30)).sum::<f64>() - 6.0
    }

    /// Pairs with a true ratio of 3, noise that both runs of a pair share, and independent noise.
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
        // `PROPTEST_CASES` in the environment overrides this number.
        #![proptest_config(contextualize_config(ProptestConfig::with_cases(32)))]

        #[test]
        fn a_run_compared_with_itself_has_a_speedup_of_one(times in prop::collection::vec(0.001_f64..1e4, 2..12)) {
            let ratios = sample(&paired_ratios(&times, &times));
            let interval = bootstrap_median(&ratios, 5).expect("more than one pair");
            prop_assert!(close(ratios.median(), 1.0));
            prop_assert!(close(interval.low, 1.0) && close(interval.high, 1.0));
        }

        #[test]
        fn ratios_do_not_depend_on_the_unit_of_time(
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
