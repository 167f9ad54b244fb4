//! HTTP dates (RFC 9110 §5.6.7): parsed in all three formats, written in the preferred one.
//!
//! A file time before 1970 or after 9999 has no HTTP date. The clock is not read here.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first second of the year 10000, which the format cannot express.
const END: Duration = Duration::from_secs(253_402_300_800);

/// Parses a date in any of the three formats; `None` if it is malformed.
#[must_use]
pub fn parse(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(str::from_utf8(value).ok()?).ok()
}

/// The time as an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT`, truncated to whole seconds.
/// `None` before 1970 and after 9999.
#[must_use]
pub fn format(time: SystemTime) -> Option<impl fmt::Display + fmt::Debug> {
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    (since_epoch < END).then(|| httpdate::HttpDate::from(time))
}

/// Seconds since 1970, rounded down: the precision at which HTTP dates are compared.
pub(super) fn whole_seconds(time: SystemTime) -> i64 {
    let saturated = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => saturated(after.as_secs()),
        Err(before) => {
            let before = before.duration();
            let started = u64::from(before.subsec_nanos() > 0);
            -saturated(before.as_secs().saturating_add(started))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_three_formats_are_read() {
        let expected = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(expected), "{text}");
        }
        for text in
            ["", "0", "784111777", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 +0100"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\xff"), None);
    }

    #[test]
    fn a_time_without_an_http_date_is_not_written() {
        let text = |time| format(time).map(|date| date.to_string());
        let second = Duration::from_secs(1);
        assert_eq!(text(UNIX_EPOCH).unwrap(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(text(UNIX_EPOCH - second), None);
        assert_eq!(text(UNIX_EPOCH + END - second).unwrap(), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(text(UNIX_EPOCH + END), None);
    }

    #[test]
    fn seconds_are_rounded_down_on_both_sides_of_1970() {
        let nanosecond = Duration::from_nanos(1);
        for (time, seconds) in [
            (UNIX_EPOCH, 0),
            (UNIX_EPOCH + nanosecond, 0),
            (UNIX_EPOCH - nanosecond, -1),
            (UNIX_EPOCH - Duration::from_secs(1), -1),
        ] {
            assert_eq!(whole_seconds(time), seconds, "{time:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&value);
        }

        #[test]
        fn a_written_value_is_parsed_again(seconds in 0..END.as_secs()) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let text = format(time).unwrap().to_string();
            prop_assert_eq!(parse(text.as_bytes()), Some(time));
        }
    }
}
