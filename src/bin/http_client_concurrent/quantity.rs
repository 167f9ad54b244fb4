//! Formats lengths, rates and times for people: three digits and a fitting unit.

use std::fmt;
use std::time::Duration;

/// A number of bytes, with a binary prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes(pub(crate) u64);

/// A rate: bytes transferred, in a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

/// A duration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) Duration);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return f.pad(&format!("{} B", self.0));
        }
        f.pad(&with_prefix(approximate(self.0)))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", with_prefix(approximate(self.bytes) / self.time.as_secs_f64())))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let whole = (self.0 + Duration::from_millis(500)).as_secs();
        f.pad(&if seconds < 0.9995 {
            format!("{} ms", three_digits(seconds * 1000.0))
        } else if seconds < 59.95 {
            format!("{} s", three_digits(seconds))
        } else if whole < 3600 {
            format!("{} min {:02} s", whole / 60, whole % 60)
        } else {
            format!("{} h {:02} min", whole / 3600, whole / 60 % 60)
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "only three digits are shown")]
fn approximate(bytes: u64) -> f64 {
    bytes as f64
}

fn with_prefix(bytes: f64) -> String {
    let mut value = bytes;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = units.next().expect("there are units");
    // A value that rounds to 1024 is 1 of the next unit.
    while value >= 1023.5
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = next;
    }
    format!("{} {unit}", three_digits(value))
}

/// All digits before the point, and at least three in total.
fn three_digits(value: f64) -> String {
    let decimals = match value {
        _ if value < 0.9995 => 3,
        _ if value < 9.995 => 2,
        _ if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits_and_a_binary_prefix() {
        for (bytes, expected) in [
            (0, "0 B"),
            (14, "14 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (262_144, "256 KiB"),
            (1_048_575, "1.00 MiB"),
            (2_621_440, "2.50 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), expected);
        }
        assert_eq!(format!("{:>8}|", Bytes(14)), "    14 B|");
        assert_eq!(
            Rate { bytes: 1024, time: Duration::from_millis(500) }.to_string(),
            "2.00 KiB/s"
        );
    }

    #[test]
    fn times_have_three_digits_and_a_fitting_unit() {
        for (micros, expected) in [
            (0, "0.000 ms"),
            (123, "0.123 ms"),
            (1000, "1.00 ms"),
            (12_340, "12.3 ms"),
            (999_400, "999 ms"),
            (999_600, "1.00 s"),
            (1_500_000, "1.50 s"),
            (59_949_000, "59.9 s"),
            (59_960_000, "1 min 00 s"),
            (3_599_000_000, "59 min 59 s"),
            (3_600_000_000, "1 h 00 min"),
            (9_000_000_000, "2 h 30 min"),
        ] {
            assert_eq!(Time(Duration::from_micros(micros)).to_string(), expected);
        }
    }
}
