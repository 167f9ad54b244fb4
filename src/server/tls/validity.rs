//! The time in which a certificate is valid (RFC 5280 §4.1.2.5), and when to warn that it ends.

use std::time::Duration;

use jiff::Timestamp;

/// The longest time before the end of a certificate in which its end is near.
const LONGEST_NOTICE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The time in which a certificate is valid; both ends belong to it. Times after [`Timestamp::MAX`], such as the
/// last second of the year 9999, which stands for no end (RFC 5280 §4.1.2.5), are that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

/// Whether a certificate is valid at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidityState {
    NotYetValid,
    Valid,
    /// It is valid, for less than a tenth of its whole time and than a week.
    EndsSoon,
    Expired,
}

impl ValidityState {
    /// Its name in the status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotYetValid => "not yet valid",
            Self::Valid => "valid",
            Self::EndsSoon => "ends soon",
            Self::Expired => "expired",
        }
    }
}

impl Validity {
    /// Both in seconds since 1970.
    pub(super) fn new(not_before: i64, not_after: i64) -> Self {
        let time = |second: i64| {
            let limit = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
            Timestamp::from_second(second).unwrap_or(limit)
        };
        Self { not_before: time(not_before), not_after: time(not_after) }
    }

    /// Whether the certificate is valid at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> ValidityState {
        if now < self.not_before {
            ValidityState::NotYetValid
        } else if now > self.not_after {
            ValidityState::Expired
        } else if Duration::try_from(self.not_after.duration_since(now))
            .is_ok_and(|left| left < self.notice())
        {
            ValidityState::EndsSoon
        } else {
            ValidityState::Valid
        }
    }

    /// How long before its end the end is near.
    fn notice(&self) -> Duration {
        let whole = Duration::try_from(self.not_after.duration_since(self.not_before));
        (whole.unwrap_or_default() / 10).min(LONGEST_NOTICE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_near_in_the_last_tenth_but_not_before_the_last_week() {
        use ValidityState::{EndsSoon, Expired, NotYetValid, Valid};
        const DAY: i64 = 24 * 60 * 60;
        for (whole, now, expected) in [
            (90 * DAY, -1, NotYetValid),
            (90 * DAY, 0, Valid),
            (90 * DAY, 83 * DAY, Valid),
            (90 * DAY, 83 * DAY + 1, EndsSoon),
            (90 * DAY, 90 * DAY, EndsSoon),
            (90 * DAY, 90 * DAY + 1, Expired),
            (10 * DAY, 9 * DAY, Valid),
            (10 * DAY, 9 * DAY + 1, EndsSoon),
            (0, 0, Valid),
            // Its end is before its beginning.
            (-DAY, 0, Expired),
        ] {
            let validity = Validity::new(1_000_000_000, 1_000_000_000 + whole);
            let now = Timestamp::from_second(1_000_000_000 + now).unwrap();
            assert_eq!(validity.state(now), expected, "{whole} {now}");
        }
    }

    #[test]
    fn no_end_is_the_last_timestamp() {
        let validity = Validity::new(-62_167_219_200, 253_402_300_799);
        assert_eq!(validity.not_after, Timestamp::MAX);
        assert_eq!(validity.not_before.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(validity.state(Timestamp::UNIX_EPOCH), ValidityState::Valid);
        assert_eq!(Validity::new(i64::MIN, 0).not_before, Timestamp::MIN);
    }
}
