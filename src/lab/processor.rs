//! How busy the machine's processors were, as Linux counts it; elsewhere nothing is known.

use std::fs;

/// The ticks of all processors since the machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    busy: u64,
    all: u64,
}

impl Ticks {
    /// Those until now, or `None` where the kernel does not tell.
    pub(super) fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal
    /// (proc(5)); what follows is counted in the first two already.
    fn parse(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
        let ticks: Vec<u64> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
        let idle = ticks.get(3)? + ticks.get(4)?;
        let all = ticks.iter().sum();
        Some(Self { busy: all - idle, all })
    }

    /// The share of the processors' time since `earlier` that was used, 0 to 1; a tick is 10 ms, so that
    /// it is coarse where that was short. `None` if no tick has passed.
    pub(super) fn busy_since(self, earlier: Self) -> Option<f64> {
        let all = self.all.checked_sub(earlier.all).filter(|all| *all > 0)?;
        // The kernel's count of idle time may step back a little.
        let busy = self.busy.saturating_sub(earlier.busy).min(all);
        #[expect(clippy::cast_precision_loss, reason = "ticks of one run are few")]
        Some(busy as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_what_was_neither_idle_nor_waiting() {
        let parse = |line: &str| Ticks::parse(line).unwrap();
        let earlier = parse("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        let later = parse("cpu  130 0 60 850 60 0 0 0 9 9\n");
        assert_eq!(later.busy_since(earlier), Some(0.4));
        assert_eq!(earlier.busy_since(earlier), None, "no tick has passed");
        assert_eq!(earlier.busy_since(later), None);
        for text in ["", "cpu", "cpu  1 2 3\n", "cpu  1 2 3 x 5 6 7 8\n", "intr 1\n"] {
            assert_eq!(Ticks::parse(text), None, "{text:?}");
        }
    }
}
