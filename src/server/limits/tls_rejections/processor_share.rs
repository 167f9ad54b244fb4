//! A share of one processor, for work that must not slow down everything else.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::lock::lock;

/// Lets work begin as long as all of it has used at most a part of one processor.
#[derive(Debug)]
pub(crate) struct ProcessorShare {
    /// The share is one in so many.
    divisor: u32,
    /// When the share has grown to what was used.
    next_start: Mutex<Instant>,
}

impl ProcessorShare {
    pub(crate) fn one_in(divisor: u32) -> Self {
        Self { divisor, next_start: Mutex::new(Instant::now()) }
    }

    /// Waits until more may be used; false, at once, if that is not before `latest`.
    #[must_use]
    pub(crate) fn wait(&self, latest: Instant) -> bool {
        loop {
            let (start, now) = (*lock(&self.next_start), Instant::now());
            if start <= now {
                return true;
            }
            if start > latest {
                return false;
            }
            thread::sleep(start - now);
        }
    }

    /// Records that so much time of a processor was used.
    pub(crate) fn record(&self, used: Duration) {
        let mut next_start = lock(&self.next_start);
        *next_start = (*next_start).max(Instant::now()) + used * self.divisor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_must_be_a_part_of_the_time_before_more_is() {
        const USED: Duration = Duration::from_millis(10);
        let share = ProcessorShare::one_in(4);
        let begun = Instant::now();
        assert!(share.wait(begun), "nothing was used");
        share.record(USED);
        share.record(USED);
        assert!(!share.wait(begun + USED * 7), "the share grows to it after 80 ms");
        assert!(share.wait(begun + Duration::from_secs(60)));
        assert!(begun.elapsed() >= USED * 8, "{:?}", begun.elapsed());
    }
}
