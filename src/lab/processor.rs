//! The utilisation of the machine's processors, from Linux's `/proc/stat`. Unknown on other systems.

use std::fs;

/// The clock ticks of all processors since the machine was booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTicks {
    busy: u64,
    all: u64,
}

impl CpuTicks {
    /// The ticks until now; `None` if the system has no `/proc/stat`.
    pub(super) fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Parses the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal
    /// (proc(5)). The columns after these are included in the first two.
    fn parse(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
        let ticks: Vec<u64> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
        let idle = ticks.get(3)? + ticks.get(4)?;
        let all = ticks.iter().sum();
        Some(Self { busy: all - idle, all })
    }

    /// The utilisation since `earlier`, 0 to 1; `None` if no tick has passed. A tick is 10 ms, so the
    /// result is coarse for short times.
    pub(super) fn busy_since(self, earlier: Self) -> Option<f64> {
        let all = self.all.checked_sub(earlier.all).filter(|all| *all > 0)?;
        // The kernel's count of idle time may decrease slightly.
        let busy = self.busy.saturating_sub(earlier.busy).min(all);
        #[expect(clippy::cast_precision_loss, reason = "ticks of one run are few")]
        Some(busy as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilisation_excludes_idle_and_iowait() {
        let parse = |line: &str| CpuTicks::parse(line).unwrap();
        let earlier = parse("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        let later = parse("cpu  130 0 60 850 60 0 0 0 9 9\n");
        assert_eq!(later.busy_since(earlier), Some(0.4));
        assert_eq!(earlier.busy_since(earlier), None, "no tick has passed");
        assert_eq!(earlier.busy_since(later), None);
        for text in ["", "cpu", "cpu  1 2 3\n", "cpu  1 2 3 x 5 6 7 8\n", "intr 1\n"] {
            assert_eq!(CpuTicks::parse(text), None, "{text:?}");
        }
    }
}
