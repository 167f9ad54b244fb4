//! Figures rounded for people: durations, ratios, rates and lengths.
//!
//! A figure is rounded once, when it is made, so that text, JSON and HTML show the same number. Three
//! significant digits are more than the repeatability of such measurements.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// A duration in seconds. Displayed in seconds or milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Seconds(f64);

/// A number without a unit: a speedup, a ratio, an average count.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Ratio(f64);

/// A rate in bytes per second. Displayed with a binary prefix.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Rate(f64);

/// A length in bytes. Exact in JSON, displayed with a binary prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Seconds {
    #[must_use]
    pub fn new(seconds: f64) -> Self {
        Self(rounded(seconds))
    }

    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self::new(duration.as_secs_f64())
    }
}

impl Ratio {
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        Self(rounded(ratio))
    }

    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl Rate {
    #[must_use]
    pub fn new(bytes_per_second: f64) -> Self {
        Self(rounded(bytes_per_second))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0.0 {
            write!(f, "0 s")
        } else if self.0.abs() < 1.0 {
            write!(f, "{} ms", digits(self.0 * 1000.0))
        } else {
            write!(f, "{} s", digits(self.0))
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&digits(self.0))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = binary(self.0);
        write!(f, "{} {unit}/s", digits(value))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let (value, unit) = binary(self.0 as f64);
        write!(f, "{} {unit}", digits(value))
    }
}

/// A count with its noun in singular or plural: `1 file`, `20 files`.
#[must_use]
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A probability in percent; from 99 % on with one decimal, and never rounded to 100 %.
#[must_use]
pub fn percent(probability: f64) -> String {
    let percent = 100.0 * probability;
    if percent < 99.0 { format!("{percent:.0} %") } else { format!("{:.1} %", percent.min(99.9)) }
}

/// A list in words: `1`, `1 and 2`, `1, 2 and 3`.
#[must_use]
pub fn listed(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    match &items[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The value in the largest binary unit in which it is at least 1.
fn binary(mut value: f64) -> (f64, &'static str) {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    while value.abs() >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    (value, UNITS[unit])
}

/// Rounds to three significant digits, but not coarser than 1. Values that are not finite become 0.
fn rounded(value: f64) -> f64 {
    if !value.is_finite() || value == 0.0 {
        return 0.0;
    }
    let text = format!("{value:.*}", decimals(value));
    text.parse().expect("a formatted finite number is a number")
}

/// The number with the decimals that [`rounded`] kept.
fn digits(value: f64) -> String {
    format!("{value:.*}", decimals(value))
}

/// The decimals needed for three significant digits: 0 from 100 on, 2 from 1 on, 5 from 0.001 on.
///
/// A value that rounds up to a power of ten has the decimals of that power.
fn decimals(value: f64) -> usize {
    let magnitude = value.abs();
    let mut decimals = 0;
    let mut bound = 99.95;
    while magnitude < bound && decimals < 12 {
        decimals += 1;
        bound /= 10.0;
    }
    if magnitude == 0.0 { 0 } else { decimals }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_three_digits_and_a_fitting_unit() {
        for (seconds, shown) in [
            (0.0, "0 s"),
            (0.000_123_46, "0.123 ms"),
            (0.012_345, "12.3 ms"),
            (0.999_4, "999 ms"),
            (0.999_6, "1.00 s"),
            (1.234_5, "1.23 s"),
            (12.0, "12.0 s"),
            (99.96, "100 s"),
            (1234.5, "1234 s"),
        ] {
            assert_eq!(Seconds::new(seconds).to_string(), shown, "{seconds}");
        }
    }

    #[test]
    fn ratios_keep_their_zeros_and_columns() {
        for (ratio, shown) in
            [(1.0, "1.00"), (0.996, "0.996"), (0.999_6, "1.00"), (8.406, "8.41"), (12.34, "12.3")]
        {
            assert_eq!(Ratio::new(ratio).to_string(), shown, "{ratio}");
        }
        assert_eq!(format!("{:>6}", Ratio::new(2.0)), "  2.00");
    }

    #[test]
    fn probabilities_below_one_are_never_shown_as_100_percent() {
        for (probability, shown) in [
            (0.875, "88 %"),
            (0.96875, "97 %"),
            (0.9893, "99 %"),
            (0.992_187_5, "99.2 %"),
            (0.9999, "99.9 %"),
        ] {
            assert_eq!(percent(probability), shown);
        }
    }

    #[test]
    fn bytes_and_rates_have_binary_units() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (262_144, "256 KiB"),
            (1_048_500, "1.00 MiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), shown);
        }
        assert_eq!(Rate::new(1_500_000.0).to_string(), "1.43 MiB/s");
    }

    #[test]
    fn json_has_the_rounded_number() {
        let json = serde_json::to_string(&(Seconds::new(1.234_56), Ratio::new(8.406_2)));
        assert_eq!(json.expect("two numbers"), "[1.23,8.41]");
    }

    #[test]
    fn values_that_are_not_finite_become_zero() {
        assert_eq!(Ratio::new(f64::NAN), Ratio::new(0.0));
        assert_eq!(Seconds::new(f64::INFINITY).to_string(), "0 s");
    }
}
