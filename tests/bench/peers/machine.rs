//! The machine that everything is measured on.

use std::fs;
use std::io;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors that servers and load share: with more, `wrk`'s one thread would be all that is measured.
const PROCESSORS: usize = 2;

/// Leaves this process, and all that it starts, two of the processors that it may use.
pub(crate) fn use_two_processors() -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut two = CpuSet::new();
    let processors = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
    processors.take(PROCESSORS).for_each(|processor| two.set(processor));
    sched_setaffinity(None, &two)?;
    Ok(())
}

/// Enough for thousands of connections.
const DESCRIPTORS: u64 = 32768;

/// Raises the limit of descriptors for this process and all that it starts: beyond the hard limit if it may,
/// else as far as that. Returns the limit.
pub(crate) fn raise_descriptor_limit() -> io::Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let hard = maximum.unwrap_or(DESCRIPTORS).max(DESCRIPTORS);
    let raised = Rlimit { current: Some(hard), maximum: Some(hard) };
    if setrlimit(Resource::Nofile, raised).is_err() {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

/// Its processors and kernel, in words.
pub(crate) fn description() -> String {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|model| model.split_once(": ")).map_or("unknown", |(_, name)| name);
    format!("{processors} processors ({model}), Linux {}", release.trim())
}
