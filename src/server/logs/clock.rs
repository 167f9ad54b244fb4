//! The time in the lines of the access log, in UTC, formatted once a second.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// A second, as the formats write it.
#[derive(Clone, Copy)]
pub(super) struct Second {
    common: [u8; 26],
    rfc3339: [u8; 19],
}

impl Second {
    fn format(second: u64) -> Self {
        // Both forms have room for years of four digits.
        let last = Timestamp::MAX.as_second();
        let second = i64::try_from(second).unwrap_or(last).min(last);
        let time = Timestamp::from_second(second).expect("it is not before the first one");
        Self {
            common: written(&time.strftime("%d/%b/%Y:%H:%M:%S +0000")),
            rfc3339: written(&time.strftime("%Y-%m-%dT%H:%M:%S")),
        }
    }

    /// `10/Oct/2000:13:55:36 +0000`.
    pub(super) fn common(&self) -> &str {
        str::from_utf8(&self.common).expect("it was written as text")
    }

    /// `2000-10-10T13:55:36`: RFC 3339 without the fraction and the offset.
    pub(super) fn rfc3339(&self) -> &str {
        str::from_utf8(&self.rfc3339).expect("it was written as text")
    }
}

/// A text of this very length.
fn written<const BYTES: usize>(text: &impl Display) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    write!(bytes.as_mut_slice(), "{text}").expect("there is room for it");
    bytes
}

/// Calls `use_second` with the second of `now` and the milliseconds past it. A time before 1970
/// counts as its beginning.
pub(super) fn with_second<T>(now: SystemTime, use_second: impl FnOnce(&Second, u32) -> T) -> T {
    thread_local! {
        static CACHED: RefCell<Option<(u64, Second)>> = const { RefCell::new(None) };
    }
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    CACHED.with_borrow_mut(|cached| {
        let second = since.as_secs();
        let (_, texts) = match cached {
            Some(current) if current.0 == second => current,
            outdated => outdated.insert((second, Second::format(second))),
        };
        use_second(texts, since.subsec_millis())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_time_is_written_in_both_forms_and_anew_in_each_second() {
        let at = |seconds| UNIX_EPOCH + Duration::from_millis(seconds);
        for (now, common, rfc3339, millis) in [
            (at(971_186_136_000), "10/Oct/2000:13:55:36 +0000", "2000-10-10T13:55:36", 0),
            (at(971_186_136_999), "10/Oct/2000:13:55:36 +0000", "2000-10-10T13:55:36", 999),
            (at(971_186_137_001), "10/Oct/2000:13:55:37 +0000", "2000-10-10T13:55:37", 1),
            (at(1_709_164_799_500), "28/Feb/2024:23:59:59 +0000", "2024-02-28T23:59:59", 500),
            (at(1_709_164_800_000), "29/Feb/2024:00:00:00 +0000", "2024-02-29T00:00:00", 0),
            (UNIX_EPOCH, "01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00", 0),
            (
                UNIX_EPOCH - Duration::from_secs(1),
                "01/Jan/1970:00:00:00 +0000",
                "1970-01-01T00:00:00",
                0,
            ),
        ] {
            with_second(now, |second, found| {
                assert_eq!((second.common(), second.rfc3339()), (common, rfc3339));
                assert_eq!(found, millis, "{common}");
            });
        }
    }
}
