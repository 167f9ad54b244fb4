//! SIGINT and SIGTERM: the first ends the run in order, the second the program at once.

use std::io;
use std::process;
use std::thread;

use http_concurrent::client::{Stop, StopReason};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Ends the run at the first signal, in a thread that lives as long as the program.
pub(crate) fn stop_on_signals(stop: &Stop) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let stop = stop.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            if stop.reason().is_some() {
                process::exit(super::INTERRUPTED.into());
            }
            log::warn!("interrupted: what is there is kept (once more ends the program at once)");
            stop.stop(StopReason::Interrupted);
        }
    })?;
    Ok(())
}
