//! A server's processes: spawned in a group of their own, measured together, ended when dropped.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use rustix::process::{Signal, kill_process_group};

/// The process that was spawned, and those that it spawned.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// In a process group of its own, so that all of it can be ended, and nothing else: the parent of
    /// lighttpd's workers sends signals to its whole group.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        Ok(Self { child: command.process_group(0).spawn()? })
    }

    /// Processor time so far of it and its descendants that still run, in nanoseconds (`clock_getcpuclockid(3)`),
    /// where proc(5) has ticks of 10 ms. Threads that have ended are included.
    pub(crate) fn cpu_time(&self) -> Duration {
        let clock = |id: &u32| {
            let pid = Pid::from_raw(i32::try_from(*id).ok()?);
            clock_gettime(clock_getcpuclockid(pid).ok()?).ok()
        };
        self.ids().iter().filter_map(clock).map(Duration::from).sum()
    }

    /// Its proportional share of memory in KiB (proc(5), `smaps_rollup`), with its descendants'.
    pub(crate) fn pss_kibibytes(&self) -> f64 {
        let share = |id: &u32| {
            let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.trim().strip_suffix(" kB")?.parse::<f64>().ok()
        };
        self.ids().iter().filter_map(share).sum()
    }

    /// The ids of it and its descendants.
    fn ids(&self) -> Vec<u32> {
        let mut ids = vec![self.child.id()];
        let mut next = 0;
        while let Some(id) = ids.get(next) {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
            let children = children.unwrap_or_default();
            ids.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            next += 1;
        }
        ids
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = kill_process_group(group, Signal::TERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(5) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
