//! SIGINT, SIGTERM and SIGHUP: the first ends the run in order, a second one the program at once. Before a
//! run has begun, the first ends the program at once, whatever it waits for. SIGXFSZ: a file that becomes
//! larger than the shell allows (`ulimit -f`) is a failure of its URL, and of nothing else. SIGQUIT keeps
//! its default action, and ends the program at once.

use std::io;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use http_concurrent::cli::catch_signals;
use http_concurrent::client::{Stop, StopReason};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

/// Tells the thread that attends to signals which run they end.
#[derive(Debug)]
pub(crate) struct Interrupts {
    /// `None` before a run has begun.
    run: Arc<Mutex<Option<Stop>>>,
}

impl Interrupts {
    /// Catches the signals, and attends to them in a thread that lives as long as the program.
    ///
    /// Under nohup(1) SIGHUP stays ignored. SIGINT does not: a shell without job control has its background
    /// jobs ignore it, and scripts send it to them on purpose.
    ///
    /// # Errors
    /// The system makes no thread, or no pipe to wake it.
    pub(crate) fn start() -> io::Result<Self> {
        let mut signals = catch_signals(&[SIGINT, SIGTERM, SIGXFSZ])?;
        let run = Arc::new(Mutex::default());
        let begun = Arc::clone(&run);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            // A write beyond the limit fails as well, which is enough.
            for signal in signals.forever().filter(|signal| *signal != SIGXFSZ) {
                match &*begun.lock().unwrap_or_else(PoisonError::into_inner) {
                    Some(stop) => interrupt(stop, signal),
                    None => process::exit(super::INTERRUPTED.into()),
                }
            }
        })?;
        Ok(Self { run })
    }

    /// From now on signals end this run, which is about to begin, in order.
    pub(crate) fn stop(&self, run: &Stop) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.clone());
    }
}

fn interrupt(stop: &Stop, signal: i32) {
    match stop.reason() {
        // When a terminal closes, both the kernel and the shell send SIGHUP.
        Some(_) if signal == SIGHUP => {}
        Some(_) => process::exit(super::INTERRUPTED.into()),
        None => {
            log::warn!("interrupted: what is there is kept (once more ends the program at once)");
            stop.stop(StopReason::Interrupted);
        }
    }
}
