//! SIGINT and SIGTERM: the first ends the run in order, the second the program at once. SIGXFSZ: a file
//! that becomes larger than the shell allows (`ulimit -f`) is a failure of its URL, and of nothing else.

use std::io;
use std::process;
use std::thread;

use http_concurrent::client::{Stop, StopReason};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// Ends the run at the first signal, in a thread that lives as long as the program.
pub(crate) fn stop_on_signals(stop: &Stop) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGXFSZ])?;
    let stop = stop.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        // Who writes too much is told by the system as well.
        for _ in signals.forever().filter(|signal| *signal != SIGXFSZ) {
            if stop.reason().is_some() {
                process::exit(super::INTERRUPTED.into());
            }
            log::warn!("interrupted: what is there is kept (once more ends the program at once)");
            stop.stop(StopReason::Interrupted);
        }
    })?;
    Ok(())
}
