//! SIGINT, SIGTERM and SIGHUP: the first ends the run in order, a second one the program at once. SIGXFSZ:
//! a file that becomes larger than the shell allows (`ulimit -f`) is a failure of its URL, and of nothing
//! else. SIGQUIT keeps its default action, and ends the program at once.

use std::fs;
use std::io;
use std::process;
use std::thread;

use http_concurrent::client::{Stop, StopReason};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// Ends the run at the first signal, in a thread that lives as long as the program.
///
/// Under nohup(1) SIGHUP stays ignored. SIGINT does not: a shell without job control has its background
/// jobs ignore it, and scripts send it to them on purpose.
pub(crate) fn stop_on_signals(stop: &Stop) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGXFSZ])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    let stop = stop.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        // A write beyond the limit fails as well, which is enough.
        for signal in signals.forever().filter(|signal| *signal != SIGXFSZ) {
            match stop.reason() {
                // When a terminal closes, both the kernel and the shell send SIGHUP.
                Some(_) if signal == SIGHUP => {}
                Some(_) => process::exit(super::INTERRUPTED.into()),
                None => {
                    log::warn!(
                        "interrupted: what is there is kept (once more ends the program at once)"
                    );
                    stop.stop(StopReason::Interrupted);
                }
            }
        }
    })?;
    Ok(())
}

/// Whether the program was started with this signal ignored (`SigIgn` in proc(5)); where the system does
/// not say so, it is taken not to be.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
