//! The signals of the server: caught by the first thing that `main` does, so that none of them takes its
//! default action later on.
//!
//! SIGINT and SIGTERM end the server. The first lets transfers finish, the second does not, and the third
//! waits for nothing, not even for the last lines of the logs. Before the server serves, the first ends the
//! program at once, whatever it waits for: there is nothing to finish. SIGUSR1 and SIGHUP open the access
//! log anew. Without an access log SIGHUP has its default action: the end of the terminal is then the end
//! of the server.

use std::io;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use http_concurrent::cli::catch_signals;
use http_concurrent::server::{LogHandle, Stopper};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Handle;
use signal_hook::low_level::emulate_default_handler;

/// Tells the thread that attends to signals what they are to do.
#[derive(Debug)]
pub(crate) struct Attendant {
    state: Arc<Mutex<State>>,
    signals: Handle,
}

/// What decides what a signal does.
#[derive(Debug)]
struct State {
    hangup: Hangup,
    access_log: Option<LogHandle>,
    /// The log was to be opened anew before it was known.
    is_reopening_due: bool,
    /// `None` while the server does not serve yet.
    stopper: Option<Stopper>,
    signals_to_end: u32,
}

/// What SIGHUP does.
#[derive(Clone, Copy, Debug)]
enum Hangup {
    /// The command line, which decides that, has not been read yet.
    Undecided {
        has_come: bool,
    },
    HasDefaultAction,
    ReopensLog,
}

impl Attendant {
    /// Catches the signals, and attends to them in a thread that lives as long as the program. Where
    /// SIGHUP is ignored, as under nohup(1), it stays so until there is a log to open anew.
    ///
    /// # Errors
    /// The system makes no thread, or no pipe to wake it.
    pub(crate) fn start() -> io::Result<Self> {
        let mut signals = catch_signals(&[SIGINT, SIGTERM, SIGUSR1])?;
        let handle = signals.handle();
        let hangup = Hangup::Undecided { has_come: false };
        let state = State {
            hangup,
            access_log: None,
            is_reopening_due: false,
            stopper: None,
            signals_to_end: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let attended = Arc::clone(&state);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                lock(&attended).attend(signal);
            }
        })?;
        Ok(Self { state, signals: handle })
    }

    /// The command line asks for an access log: SIGHUP opens it anew, once it is open.
    ///
    /// # Errors
    /// The system lets SIGHUP not be caught.
    pub(crate) fn expect_access_log(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        if matches!(state.hangup, Hangup::Undecided { has_come: true }) {
            state.is_reopening_due = true;
        }
        state.hangup = Hangup::ReopensLog;
        drop(state);
        self.signals.add_signal(SIGHUP)
    }

    /// The command line asks for no access log: SIGHUP ends the program, also if it came before.
    pub(crate) fn expect_no_access_log(&self) {
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut state.hangup, Hangup::HasDefaultAction);
        if matches!(before, Hangup::Undecided { has_come: true }) {
            state.attend(SIGHUP);
        }
    }

    /// This is the log that is opened anew, also if the signal for that came before.
    pub(crate) fn reopen(&self, access_log: LogHandle) {
        let mut state = lock(&self.state);
        if state.is_reopening_due {
            access_log.reopen();
        }
        state.access_log = Some(access_log);
    }

    /// From now on signals end the server, which is about to serve, in order.
    pub(crate) fn stop(&self, stopper: Stopper) {
        lock(&self.state).stopper = Some(stopper);
    }
}

impl State {
    fn attend(&mut self, signal: i32) {
        match (signal, self.hangup) {
            (SIGHUP, Hangup::Undecided { .. }) => {
                self.hangup = Hangup::Undecided { has_come: true };
            }
            (SIGHUP, Hangup::HasDefaultAction) => {
                if let Err(error) = emulate_default_handler(SIGHUP) {
                    log::error!("cannot end by SIGHUP: {error}");
                }
            }
            (SIGHUP | SIGUSR1, _) => match &self.access_log {
                Some(access_log) => access_log.reopen(),
                None => self.is_reopening_due = true,
            },
            _ => self.end(),
        }
    }

    fn end(&mut self) {
        self.signals_to_end += 1;
        match (&self.stopper, self.signals_to_end) {
            (Some(stopper), 1) => stopper.stop(),
            (Some(stopper), 2) => {
                log::warn!("stopped at once by a second signal");
                stopper.stop_at_once();
            }
            _ => process::exit(0),
        }
    }
}

/// No code that panics runs under the lock.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
