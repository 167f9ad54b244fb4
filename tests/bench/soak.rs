//! The server over time: well-behaved and bad clients, in phases of load with rests between them.
//!
//! `cargo bench --bench soak` prints a table of the phases and a verdict in two minutes; `-- --minutes N`
//! runs longer. The exit status is 1 if the verdict is bad. After each phase the server rests until its
//! threads have ended. Then descriptors and threads must be as before the first connection, and memory must
//! not grow by more than [`MOST_GROWTH_KB`] per phase. Every response is checked (status, length, content),
//! and so are the lines of the access log, which is rotated meanwhile.

#![expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]

#[path = "soak/answer.rs"]
mod answer;
#[path = "hold/client.rs"]
#[allow(dead_code, reason = "shared with the bench of the limits, which uses all of it")]
mod client;
#[path = "soak/disorderly.rs"]
mod disorderly;
#[path = "soak/limits.rs"]
mod limits;
#[path = "soak/log_files.rs"]
mod log_files;
#[path = "soak/orderly.rs"]
mod orderly;
#[path = "soak/phases.rs"]
mod phases;
#[path = "soak/server.rs"]
mod server;
#[path = "hold/target.rs"]
#[allow(dead_code, reason = "shared with the bench of the limits, which uses all of it")]
mod target;
#[path = "soak/verdict.rs"]
mod verdict;
#[path = "soak/visit.rs"]
mod visit;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The largest growth of idle memory per phase, in kB of resident set.
pub(crate) const MOST_GROWTH_KB: f64 = 50.0;

/// Phases excluded from the growth: the first ones fill caches and size buffers.
pub(crate) const SKIPPED_PHASES: usize = 2;

/// The division of the time.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) phases: u32,
    pub(crate) load: Duration,
    pub(crate) rest: Duration,
}

impl Schedule {
    /// Longer than parked threads and idle connections live (5 s each).
    fn of_minutes(minutes: u32) -> Self {
        let phases = minutes.clamp(6, 20);
        let rest = Duration::from_secs(if minutes < 5 { 10 } else { 20 });
        let phase = Duration::from_secs(60) * minutes / phases;
        Self { phases, rest, load: phase.saturating_sub(rest).max(Duration::from_secs(2)) }
    }
}

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let at = arguments.iter().position(|argument| argument == "--minutes");
    let minutes = at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(2);
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let schedule = Schedule::of_minutes(minutes);
    println!(
        "{} phases, each {:.0} s of load and {} s of rest",
        schedule.phases,
        schedule.load.as_secs_f64(),
        schedule.rest.as_secs()
    );
    let record = phases::run(schedule)?;
    let holds = verdict::report(&record);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
