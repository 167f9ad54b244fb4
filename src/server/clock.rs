//! The current second as text, in UTC: for the `Date` field and for lines of the access log.
//!
//! Each thread formats it once a second, as formatting costs more than the rest of a log line.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::http::date;

/// A second in each of its formats. All have years of four digits.
#[derive(Clone, Copy)]
pub(super) struct Second {
    imf_fixdate: [u8; 29],
    common: [u8; 26],
    rfc3339: [u8; 19],
}

impl Second {
    /// Formats the time so many seconds after 1970, at most [`Timestamp::MAX`].
    fn format(second: u64) -> Self {
        let last = Timestamp::MAX.as_second();
        let second = i64::try_from(second).unwrap_or(last).min(last);
        let time = Timestamp::from_second(second).expect("it is at most the last timestamp");
        let imf_fixdate = date::format(UNIX_EPOCH + Duration::from_secs(second.unsigned_abs()));
        Self {
            imf_fixdate: written(&imf_fixdate.expect("its year has four digits")),
            common: written(&time.strftime("%d/%b/%Y:%H:%M:%S +0000")),
            rfc3339: written(&time.strftime("%Y-%m-%dT%H:%M:%S")),
        }
    }

    /// `Tue, 10 Oct 2000 13:55:36 GMT` (RFC 9110 §5.6.7).
    pub(super) fn imf_fixdate(&self) -> &[u8] {
        &self.imf_fixdate
    }

    /// `10/Oct/2000:13:55:36 +0000`, as in the Common Log Format.
    pub(super) fn common(&self) -> &str {
        str::from_utf8(&self.common).expect("it was written as text")
    }

    /// `2000-10-10T13:55:36`: RFC 3339 without the fraction and the offset.
    pub(super) fn rfc3339(&self) -> &str {
        str::from_utf8(&self.rfc3339).expect("it was written as text")
    }
}

/// Formats a text of exactly this length.
fn written<const BYTES: usize>(text: &impl Display) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    write!(bytes.as_mut_slice(), "{text}").expect("the array has the length of the text");
    bytes
}

/// Calls `use_second` with the second of `now` and the milliseconds past it. A time before 1970 counts as
/// the beginning of 1970.
pub(super) fn with_second<T>(now: SystemTime, use_second: impl FnOnce(&Second, u32) -> T) -> T {
    thread_local! {
        static CACHED: RefCell<Option<(u64, Second)>> = const { RefCell::new(None) };
    }
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    CACHED.with_borrow_mut(|cached| {
        let second = since_1970.as_secs();
        let (_, texts) = match cached {
            Some(current) if current.0 == second => current,
            outdated => outdated.insert((second, Second::format(second))),
        };
        use_second(texts, since_1970.subsec_millis())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_written_in_all_forms_and_anew_in_each_second() {
        let at = |milliseconds| UNIX_EPOCH + Duration::from_millis(milliseconds);
        let first = "Thu, 01 Jan 1970 00:00:00 GMT";
        let leap_day = "Thu, 29 Feb 2024 00:00:00 GMT";
        for (now, imf_fixdate, rfc3339, millis) in [
            (at(971_186_136_000), "Tue, 10 Oct 2000 13:55:36 GMT", "2000-10-10T13:55:36", 0),
            (at(971_186_136_999), "Tue, 10 Oct 2000 13:55:36 GMT", "2000-10-10T13:55:36", 999),
            (at(971_186_137_001), "Tue, 10 Oct 2000 13:55:37 GMT", "2000-10-10T13:55:37", 1),
            (at(1_709_164_799_500), "Wed, 28 Feb 2024 23:59:59 GMT", "2024-02-28T23:59:59", 500),
            (at(1_709_164_800_000), leap_day, "2024-02-29T00:00:00", 0),
            (UNIX_EPOCH, first, "1970-01-01T00:00:00", 0),
            (UNIX_EPOCH - Duration::from_secs(1), first, "1970-01-01T00:00:00", 0),
        ] {
            with_second(now, |second, found| {
                assert_eq!(second.imf_fixdate(), imf_fixdate.as_bytes());
                assert_eq!((second.rfc3339(), found), (rfc3339, millis));
                // 10/Oct/2000:13:55:36 +0000
                let (day, month, year) = (&imf_fixdate[5..7], &imf_fixdate[8..11], &rfc3339[..4]);
                assert_eq!(
                    second.common(),
                    format!("{day}/{month}/{year}:{} +0000", &rfc3339[11..])
                );
            });
        }
    }

    #[test]
    fn a_time_that_cannot_be_written_is_written_as_the_last_that_can() {
        let second = Second::format(u64::MAX);
        assert_eq!(second.imf_fixdate(), b"Thu, 30 Dec 9999 22:00:00 GMT");
        assert_eq!(second.rfc3339(), "9999-12-30T22:00:00");
    }
}
