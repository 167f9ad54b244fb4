//! Durations as the numbers of the documents.

use std::time::Duration;

use serde::Serializer;

/// Seconds, rounded to microseconds: a clock cannot be read more finely.
#[must_use]
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

/// Serializes a duration as [`seconds`].
pub(super) fn serialize_seconds<S: Serializer>(
    time: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(seconds(*time))
}

/// Milliseconds, rounded to microseconds.
pub(super) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_to_microseconds() {
        let time = Duration::from_nanos(1_234_567_891);
        assert!((seconds(time) - 1.234_568).abs() < 1e-12, "{}", seconds(time));
        assert!((millis(time) - 1_234.568).abs() < 1e-9, "{}", millis(time));
    }
}
