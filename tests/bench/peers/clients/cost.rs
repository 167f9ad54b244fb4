//! What a process costs: its time, its processor time and its memory.

use std::fs;
use std::io::{self, Read as _, Seek as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::time::{clock_getcpuclockid, clock_gettime};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// How often the memory of a process is read.
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// From the start of a process to its end.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// Of this process alone, with all its threads.
    pub(crate) cpu: Duration,
    /// The greatest resident set.
    pub(crate) peak_kibibytes: f64,
}

/// A process that is killed when dropped before its end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command, which must succeed.
pub(crate) fn of(command: &mut Command) -> anyhow::Result<Cost> {
    let mut errors = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors.try_clone()?);
    let begun = Instant::now();
    let mut process = Running(command.spawn()?);
    let peak_kibibytes = peak_until_end(&process.0)?;
    let wall = begun.elapsed();
    // Before the process is reaped, after which it has no clock.
    let cpu = cpu_time(&process.0)?;
    let status = process.0.wait()?;
    let mut message = String::new();
    errors.rewind()?;
    errors.read_to_string(&mut message)?;
    ensure!(status.success(), "{status}: {message}");
    let peak_kibibytes = peak_kibibytes.context("it ended before its memory was read")?;
    Ok(Cost { wall, cpu, peak_kibibytes })
}

/// Reads the peak again and again; it only grows, so that no more than the last millisecond is missed.
/// `wait4(2)` has a peak as well, but it includes what this process held when it forked.
fn peak_until_end(process: &Child) -> io::Result<Option<f64>> {
    let handle = pidfd_open(Pid::from_child(process), PidfdFlags::empty())?;
    let mut peak = None;
    loop {
        peak = peak_kibibytes(process.id()).or(peak);
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&POLL)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(peak),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The greatest resident set of a process so far (proc(5), `status`: `VmHWM`); `None` if it has ended.
fn peak_kibibytes(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// In nanoseconds, where proc(5) has ticks of 10 ms.
fn cpu_time(process: &Child) -> anyhow::Result<Duration> {
    let id = nix::unistd::Pid::from_raw(process.id().try_into()?);
    Ok(clock_gettime(clock_getcpuclockid(id)?)?.into())
}
