//! Rate limits announced by a server: `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers) and `Retry-After` (RFC 9110 §10.2.3).
//!
//! The server sends `RateLimit-Policy` and `RateLimit` in responses to clients that have a limit, and all
//! three when it rejects a connection. The client parses `RateLimit-Policy` and `Retry-After` to find out
//! how many connections a host allows and when to retry.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use super::date;
use super::structured_fields::{self, BareItem, Item};
use super::syntax::parse_decimal;

/// The longest wait that [`retry_after`] returns: the value that RFC 9111 §1.2.2 substitutes for a number
/// of seconds that is too large. Adding it to a current time does not overflow.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(1 << 31);

/// The largest integer of a structured field (RFC 9651 §3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// The unit of a quota: the parameter `qu`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuotaUnit {
    #[default]
    Requests,
    ContentBytes,
    ConcurrentRequests,
}

impl QuotaUnit {
    const ALL: [Self; 3] = [Self::Requests, Self::ContentBytes, Self::ConcurrentRequests];

    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ContentBytes => "content-bytes",
            Self::ConcurrentRequests => "concurrent-requests",
        }
    }
}

/// One member of `RateLimit-Policy`, such as `"per-client";q=12;qu="concurrent-requests"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaPolicy {
    /// The policy's name in printable ASCII; other characters are omitted when it is written.
    pub name: Cow<'static, str>,
    /// How many units are allowed: at once, or per window if there is one.
    pub quota: u64,
    pub unit: QuotaUnit,
    /// The time window, written in whole seconds.
    pub window: Option<Duration>,
}

impl QuotaPolicy {
    /// Parses the value of `RateLimit-Policy`. Policies with unknown units are omitted. `None` if any
    /// member is malformed, as the draft requires.
    #[must_use]
    pub fn parse_list(value: &[u8]) -> Option<Vec<Self>> {
        let mut policies = Vec::new();
        for item in structured_fields::parse_list(value)? {
            let name = name_of(&item)?;
            let quota = integer(&item, "q")??;
            let window = integer(&item, "w")?.map(Duration::from_secs);
            let unit = match item.parameter("qu") {
                None => Some(QuotaUnit::default()),
                Some(BareItem::Text(unit)) => {
                    QuotaUnit::ALL.into_iter().find(|known| known.name() == unit)
                }
                Some(_) => return None,
            };
            policies.extend(unit.map(|unit| Self { name, quota, unit, window }));
        }
        Some(policies)
    }
}

/// Writes the member as in the field.
impl fmt::Display for QuotaPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_string(f, &self.name)?;
        write!(f, ";q={}", self.quota.min(MAX_INTEGER))?;
        if self.unit != QuotaUnit::default() {
            write!(f, ";qu=\"{}\"", self.unit.name())?;
        }
        match self.window {
            Some(window) => write!(f, ";w={}", seconds_rounded_up(window)),
            None => Ok(()),
        }
    }
}

/// One member of `RateLimit`, such as `"per-client";r=0;t=3`: the remaining quota of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLimit {
    /// The name of the policy.
    pub name: Cow<'static, str>,
    /// The remaining quota, in the policy's unit.
    pub remaining: u64,
    /// The time until more quota is available, written in whole seconds.
    pub reset: Option<Duration>,
}

/// Writes the member as in the field.
impl fmt::Display for ServiceLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_string(f, &self.name)?;
        write!(f, ";r={}", self.remaining.min(MAX_INTEGER))?;
        match self.reset {
            Some(reset) => write!(f, ";t={}", seconds_rounded_up(reset)),
            None => Ok(()),
        }
    }
}

/// Parses the value of `Retry-After`: the time to wait, counted from `now`.
///
/// At most 2³¹ seconds; zero for a date in the past; `None` if the value is neither a number of
/// seconds nor a date.
#[must_use]
pub fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let wait = if is_number {
        parse_decimal(value).map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        date::parse(value)?.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

fn name_of(item: &Item) -> Option<Cow<'static, str>> {
    match &item.value {
        BareItem::Text(name) => Some(Cow::Owned(name.clone())),
        BareItem::Integer(_) | BareItem::Other => None,
    }
}

/// An optional parameter that must be a non-negative integer: `Some(None)` if absent, `None` if malformed.
#[expect(clippy::option_option, reason = "absent and malformed are different")]
fn integer(item: &Item, name: &str) -> Option<Option<u64>> {
    match item.parameter(name) {
        None => Some(None),
        Some(BareItem::Integer(value)) => u64::try_from(*value).ok().map(Some),
        Some(_) => None,
    }
}

/// Rounds up, so that a client does not retry too early.
fn seconds_rounded_up(duration: Duration) -> u64 {
    let started = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(started).min(MAX_INTEGER)
}

/// Writes a structured field's string (RFC 9651 §4.1.6).
fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write as _;
    f.write_char('"')?;
    // Runs of plain characters are written at once: every response has such a string.
    let is_special = |character| !matches!(character, ' ' | '!' | '#'..='[' | ']'..='~');
    for run in text.split_inclusive(is_special) {
        let plain = run.trim_end_matches(is_special);
        f.write_str(plain)?;
        if let escaped @ ("\"" | "\\") = &run[plain.len()..] {
            f.write_char('\\')?;
            f.write_str(escaped)?;
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    fn policy(name: &'static str, quota: u64, unit: QuotaUnit, window: Option<u64>) -> QuotaPolicy {
        QuotaPolicy { name: name.into(), quota, unit, window: window.map(Duration::from_secs) }
    }

    fn limit(name: &'static str, remaining: u64, reset: Option<u64>) -> ServiceLimit {
        ServiceLimit { name: name.into(), remaining, reset: reset.map(Duration::from_secs) }
    }

    #[test]
    fn policies_are_read_as_they_are_written() {
        for (text, expected) in [
            (
                r#""per-client";q=12;qu="concurrent-requests""#,
                policy("per-client", 12, QuotaUnit::ConcurrentRequests, None),
            ),
            (r#""burst";q=100;w=60"#, policy("burst", 100, QuotaUnit::Requests, Some(60))),
            (
                r#""a\"b\\";q=0;qu="content-bytes";w=1"#,
                policy(r#"a"b\"#, 0, QuotaUnit::ContentBytes, Some(1)),
            ),
        ] {
            assert_eq!(expected.to_string(), text);
            assert_eq!(QuotaPolicy::parse_list(text.as_bytes()), Some(vec![expected]), "{text}");
        }
        let largest = policy("a\r\n\u{e9}", u64::MAX, QuotaUnit::Requests, Some(u64::MAX));
        assert_eq!(largest.to_string(), r#""a";q=999999999999999;w=999999999999999"#);
    }

    #[test]
    fn policies_of_other_servers_are_parsed() {
        let burst = || policy("burst", 100, QuotaUnit::Requests, Some(60));
        for (text, expected) in [
            (
                r#""burst";q=100;w=60, "day";q=1000;w=86400;pk=:cHNk:"#,
                Some(vec![burst(), policy("day", 1000, QuotaUnit::Requests, Some(86400))]),
            ),
            ("burst;w=60;q=100", Some(vec![burst()])),
            (r#""burst";q=100;w=60;qu="requests""#, Some(vec![burst()])),
            (r#""x";q=1;qu="furlongs", "burst";q=100;w=60"#, Some(vec![burst()])),
            ("", Some(vec![])),
            (r#""burst""#, None),
            (r#""burst";q="100""#, None),
            (r#""burst";q=1.5"#, None),
            (r#""burst";q=-1"#, None),
            (r#""burst";q=100;w=fast"#, None),
            (r#""burst";q=100;qu=1"#, None),
            ("100;w=60", None),
            (r#""burst";q=100,"#, None),
        ] {
            assert_eq!(QuotaPolicy::parse_list(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn limits_are_written_with_whole_seconds() {
        let fraction =
            ServiceLimit { reset: Some(Duration::from_millis(1)), ..limit("a", 1, None) };
        let largest = ServiceLimit { reset: Some(Duration::MAX), ..limit("a", u64::MAX, None) };
        for (limit, text) in [
            (limit("per-client", 0, Some(3)), r#""per-client";r=0;t=3"#),
            (limit("per-client", 12, None), r#""per-client";r=12"#),
            (fraction, r#""a";r=1;t=1"#),
            (largest, r#""a";r=999999999999999;t=999999999999999"#),
        ] {
            assert_eq!(limit.to_string(), text);
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("2147483648", Some(1 << 31)),
            ("2147483649", Some(1 << 31)),
            ("99999999999999999999999", Some(1 << 31)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", Some(3)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:40 GMT", Some(3)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(1 << 31)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1s", None),
            ("soon", None),
        ] {
            let wait = retry_after(text.as_bytes(), now);
            assert_eq!(wait, expected.map(Duration::from_secs), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            value in prop::collection::vec(any::<u8>(), 0..40),
            seconds: u32,
        ) {
            let _ = QuotaPolicy::parse_list(&value);
            let now = UNIX_EPOCH + Duration::from_secs(seconds.into());
            prop_assert!(retry_after(&value, now).is_none_or(|wait| wait <= MAX_RETRY_AFTER));
        }

        #[test]
        fn a_written_value_is_parsed_again(
            name in "[ -~]{0,12}",
            number in 0..=MAX_INTEGER,
            seconds in prop::option::of(0..=MAX_INTEGER),
        ) {
            let name: Cow<'static, str> = Cow::Owned(name);
            let duration = seconds.map(Duration::from_secs);
            let policy = QuotaPolicy {
                name: name.clone(),
                quota: number,
                unit: QuotaUnit::ConcurrentRequests,
                window: duration,
            };
            let text = policy.to_string();
            prop_assert_eq!(QuotaPolicy::parse_list(text.as_bytes()), Some(vec![policy]));
            let limit = ServiceLimit { name, remaining: number, reset: duration };
            let items = structured_fields::parse_list(limit.to_string().as_bytes()).unwrap();
            prop_assert_eq!(items.len(), 1);
            prop_assert_eq!(name_of(&items[0]), Some(limit.name));
            prop_assert_eq!(integer(&items[0], "r"), Some(Some(number)));
            prop_assert_eq!(integer(&items[0], "t"), Some(seconds));
        }
    }
}
