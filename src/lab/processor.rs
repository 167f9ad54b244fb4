//! Processor time: of this process (getrusage(2)) and of the whole machine (Linux's `/proc/stat`).

use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::measurement::MachineCpu;

/// The processor time of this process until now, in user and system mode together; `None` if the system
/// does not say.
pub(super) fn own_cpu() -> Option<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some(duration(usage.user_time())? + duration(usage.system_time())?)
}

fn duration(time: TimeVal) -> Option<Duration> {
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    Some(Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec()).ok()?))
}

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

    /// The time of the processors since `earlier`; `None` if no tick has passed. A tick is 10 ms on most
    /// systems, so the result is coarse for short times.
    pub(super) fn since(self, earlier: Self) -> Option<MachineCpu> {
        let all = self.all.checked_sub(earlier.all).filter(|all| *all > 0)?;
        // The kernel's count of idle time may decrease slightly.
        let busy = self.busy.saturating_sub(earlier.busy).min(all);
        let per_second = rustix::param::clock_ticks_per_second();
        let time = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000) / per_second);
        Some(MachineCpu { busy: time(busy), total: time(all) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_excludes_idle_and_iowait() {
        let parse = |line: &str| CpuTicks::parse(line).unwrap();
        let earlier = parse("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        let later = parse("cpu  130 0 60 850 60 0 0 0 9 9\n");
        let passed = later.since(earlier).expect("100 ticks have passed");
        assert_eq!(passed.busy * 10, passed.total * 4, "{passed:?}");
        assert_eq!(earlier.since(earlier), None, "no tick has passed");
        assert_eq!(earlier.since(later), None);
        for text in ["", "cpu", "cpu  1 2 3\n", "cpu  1 2 3 x 5 6 7 8\n", "intr 1\n"] {
            assert_eq!(CpuTicks::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn work_of_this_process_counts_as_its_own() {
        let before = own_cpu().expect("a Unix system");
        let mut sum = 0_u64;
        while own_cpu().expect("a Unix system") < before + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
