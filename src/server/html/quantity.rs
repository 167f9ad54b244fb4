//! Quantities for people: sizes, durations, large numbers.

use std::time::Duration;

/// A size in binary units with two to four digits: `14 B`, `1.5 KiB`, `256 KiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths of the unit, rounded, so that 1023.95 KiB is 1 MiB.
    let mut tenths = (u128::from(bytes) * 10 + 512) / 1024;
    let mut unit_bytes: u128 = 1024;
    let mut unit = 0;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        unit += 1;
        unit_bytes *= 1024;
        tenths = (u128::from(bytes) * 10 + unit_bytes / 2) / unit_bytes;
    }
    if tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{} {}", (tenths + 5) / 10, UNITS[unit])
    }
}

/// A duration in its two largest units, or in tenths of a second below 10 s: `0.3 s`, `42 s`, `5 min 3 s`,
/// `4 h 12 min`, `3 d 4 h`. Rounded down.
pub(crate) fn duration(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        10..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min {} s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
        DAY.. => format!("{} d {} h", seconds / DAY, seconds % DAY / HOUR),
    }
}

/// A number in groups of three digits, separated by narrow no-break spaces.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_a_few_digits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (14, "14 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024 - 1, "10 KiB"),
            (10 * 1024 + 512, "11 KiB"),
            (262_144, "256 KiB"),
            (1024 * 1024 - 1, "1 MiB"),
            (1024 * 1024, "1 MiB"),
            (2_684_354_560, "2.5 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn durations_have_at_most_two_units() {
        for (millis, expected) in [
            (0, "0.0 s"),
            (99, "0.0 s"),
            (300, "0.3 s"),
            (9_999, "9.9 s"),
            (10_000, "10 s"),
            (59_999, "59 s"),
            (60_000, "1 min 0 s"),
            (303_000, "5 min 3 s"),
            (3_600_000, "1 h 0 min"),
            (15_120_000, "4 h 12 min"),
            (86_399_000, "23 h 59 min"),
            (86_400_000, "1 d 0 h"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (123_456, "123\u{202f}456"),
            (u64::MAX, "18\u{202f}446\u{202f}744\u{202f}073\u{202f}709\u{202f}551\u{202f}615"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }
}
