//! Signals. The first SIGINT, SIGTERM or SIGHUP stops the run in order, a second one ends the program at
//! once, as does the first one before a run has begun. SIGXFSZ (a file exceeds `ulimit -f`) is caught so that
//! only its URL fails. SIGQUIT keeps its default action.

use std::io;
use std::process;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::exit_status::INTERRUPTED;
use http_concurrent::cli::catch_signals;
use http_concurrent::client::{Stop, StopReason};
use http_concurrent::lock::lock;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

/// Connects the signal thread with the run that signals stop.
#[derive(Debug)]
pub(crate) struct Interrupts {
    /// `None` before a run has begun.
    run: Arc<Mutex<Option<Stop>>>,
}

impl Interrupts {
    /// Catches the signals, and handles them in a thread that lives as long as the program.
    ///
    /// Under nohup(1) SIGHUP stays ignored. SIGINT is always caught: a shell without job control starts
    /// background jobs with SIGINT ignored, and scripts send it to them on purpose.
    ///
    /// # Errors
    /// The thread, or the pipe that wakes it, cannot be created.
    pub(crate) fn start() -> io::Result<Self> {
        let mut signals = catch_signals(&[SIGINT, SIGTERM, SIGXFSZ])?;
        let run = Arc::new(Mutex::default());
        let current = Arc::clone(&run);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            // The write beyond the limit also fails, which reports it.
            for signal in signals.forever().filter(|signal| *signal != SIGXFSZ) {
                match &*lock(&current) {
                    Some(stop) => interrupt(stop, signal),
                    None => process::exit(INTERRUPTED.into()),
                }
            }
        })?;
        Ok(Self { run })
    }

    /// From now on signals stop this run.
    pub(crate) fn stop(&self, run: &Stop) {
        *lock(&self.run) = Some(run.clone());
    }
}

fn interrupt(stop: &Stop, signal: i32) {
    match stop.reason() {
        // When a terminal closes, both the kernel and the shell send SIGHUP.
        Some(_) if signal == SIGHUP => {}
        Some(_) => process::exit(INTERRUPTED.into()),
        None => {
            log::warn!("interrupted: partial files are kept (interrupt again to quit at once)");
            stop.stop(StopReason::Interrupted);
        }
    }
}
