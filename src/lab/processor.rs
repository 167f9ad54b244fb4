//! Processor time: of this process (getrusage(2)) and of the whole machine (Linux's `/proc/stat`); and what the
//! processors are.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::measurement::MachineCpu;

/// The model of the processors (Linux's `/proc/cpuinfo`; not all architectures name it).
#[must_use]
pub fn model() -> Option<String> {
    named_model(&fs::read_to_string("/proc/cpuinfo").ok()?)
}

fn named_model(cpuinfo: &str) -> Option<String> {
    let fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let mut models = fields.filter(|(name, _)| name.trim_end() == "model name");
    models.next().map(|(_, model)| model.trim().to_owned())
}

/// How the frequency of the first processor is chosen; `None` if it cannot be, as on most virtual machines.
#[must_use]
pub fn governor() -> Option<String> {
    let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

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
    use std::time::Instant;

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
    fn the_first_model_is_named() {
        let x86 =
            "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU: 2.5 GHz\n\nprocessor\t: 1\n";
        assert_eq!(named_model(x86).as_deref(), Some("Some CPU: 2.5 GHz"));
        assert_eq!(named_model("processor\t: 0\nCPU part\t: 0xd0c\n"), None);
    }

    #[test]
    fn work_of_this_process_counts_as_its_own() {
        let before = own_cpu().expect("a Unix system");
        let enough = before + Duration::from_millis(5);
        let patience = Instant::now() + Duration::from_secs(30);
        while own_cpu().expect("a Unix system") < enough {
            assert!(Instant::now() < patience, "no processor time was counted");
            std::hint::black_box(before.as_nanos().isqrt());
        }
    }
}
