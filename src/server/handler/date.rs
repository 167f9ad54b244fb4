//! The `Date` field: when a message was made (RFC 9110 §6.6.1), formatted once a second.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

const IMF_FIXDATE_BYTES: usize = 29;

/// Calls `use_date` with the current time as an IMF-fixdate, 29 bytes long.
pub(super) fn with_current_date<T>(use_date: impl FnOnce(&[u8]) -> T) -> T {
    thread_local! {
        static CACHED: RefCell<(u64, [u8; IMF_FIXDATE_BYTES])> =
            const { RefCell::new((u64::MAX, [0; IMF_FIXDATE_BYTES])) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    CACHED.with_borrow_mut(|(cached_second, text)| {
        if *cached_second != second {
            write!(text.as_mut_slice(), "{}", HttpDate::from(now)).expect("it has this length");
            *cached_second = second;
        }
        use_date(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_the_current_one_in_the_form_of_the_rfc() {
        let date = with_current_date(|date| String::from_utf8(date.to_vec()).unwrap());
        assert_eq!(date.len(), 29);
        let parsed = httpdate::parse_http_date(&date).unwrap();
        assert!(SystemTime::now().duration_since(parsed).unwrap().as_secs() < 60);
    }
}
