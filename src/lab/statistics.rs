//! Medians, quantiles and spreads of repeated runs. Pure functions of numbers.
//!
//! A speedup is estimated from pairs of runs that were made shortly after each other, because machines
//! and networks drift: the ratio is computed within each pair. The median is used instead of the mean,
//! because one disturbed run must not determine the result.

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

    /// The median on a logarithmic scale, for ratios, which are above 0: the middle value, or the geometric
    /// mean of the two middle ones.
    ///
    /// The median of the reciprocals is its reciprocal. A steady drift, which divides every other ratio by
    /// what it multiplies the rest with, cancels exactly in an even number of ratios.
    #[must_use]
    pub fn log_median(&self) -> f64 {
        let (lower, upper) = (self.0[(self.0.len() - 1) / 2], self.0[self.0.len() / 2]);
        if lower.total_cmp(&upper).is_eq() { lower } else { lower.sqrt() * upper.sqrt() }
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

    #[test]
    fn the_median_of_ratios_is_that_of_their_logarithms() {
        for (ratios, expected) in [
            (&[2.0][..], 2.0),
            (&[0.5, 2.0], 1.0),
            (&[1.0, 4.0, 9.0], 4.0),
            (&[0.1, 2.0, 8.0, 90.0], 4.0),
        ] {
            let reciprocals: Vec<f64> = ratios.iter().map(|ratio| 1.0 / ratio).collect();
            assert!(close(sample(ratios).log_median(), expected), "{ratios:?}");
            assert!(close(sample(&reciprocals).log_median(), 1.0 / expected), "{ratios:?}");
        }
    }

    proptest! {
        // `PROPTEST_CASES` in the environment overrides this number.
        #![proptest_config(contextualize_config(ProptestConfig::with_cases(32)))]

        #[test]
        fn a_run_compared_with_itself_has_a_speedup_of_one(times in prop::collection::vec(0.001_f64..1e4, 1..12)) {
            let ratios = sample(&paired_ratios(&times, &times));
            prop_assert!(close(ratios.log_median(), 1.0));
        }

        #[test]
        fn ratios_do_not_depend_on_the_unit_of_time(
            pairs in prop::collection::vec((0.001_f64..1e4, 0.001_f64..1e4), 1..12),
            unit in 0.001_f64..1e4,
        ) {
            let (baseline, other): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let scaled = |times: &[f64]| times.iter().map(|t| t * unit).collect::<Vec<_>>();
            let ratios = sample(&paired_ratios(&baseline, &other));
            let again = sample(&paired_ratios(&scaled(&baseline), &scaled(&other)));
            prop_assert!(close(ratios.log_median(), again.log_median()));
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
