//! Limits how often a repeated event is logged.

use std::time::{Duration, Instant};

/// The least time between two warnings of the same kind.
pub(super) const WARNING_PERIOD: Duration = Duration::from_secs(60);

/// Permits one event in each period.
#[derive(Debug)]
pub(super) struct LogInterval {
    period: Duration,
    last: Option<Instant>,
}

impl LogInterval {
    pub(super) const fn new(period: Duration) -> Self {
        Self { period, last: None }
    }

    /// True if no event has been permitted for a whole period; this one then is.
    pub(super) fn permits(&mut self, now: Instant) -> bool {
        let is_due = self.next().is_none_or(|next| next <= now);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }

    /// When the next event is permitted; `None` where none has been yet.
    pub(super) fn next(&self) -> Option<Instant> {
        self.last.map(|last| last + self.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_is_permitted_in_each_period() {
        let mut interval = LogInterval::new(Duration::from_secs(60));
        let started_at = Instant::now();
        assert_eq!(interval.next(), None);
        for (seconds, is_permitted) in
            [(0, true), (0, false), (59, false), (60, true), (119, false)]
        {
            let now = started_at + Duration::from_secs(seconds);
            assert_eq!(interval.permits(now), is_permitted, "{seconds}");
        }
        assert_eq!(interval.next(), Some(started_at + Duration::from_secs(120)));
    }
}
