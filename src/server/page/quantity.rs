//! Quantities as people read them at a glance.

/// A size in binary units with some two or three digits: `14 B`, `1.5 KiB`, `256 KiB`.
pub(in crate::server) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths of the unit, rounded to the nearest, so that 1023.95 KiB is 1 MiB.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_what_is_read_at_a_glance() {
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
}
