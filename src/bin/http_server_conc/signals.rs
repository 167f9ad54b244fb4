//! The signals of the server. They are caught first in `main`, so that none takes its default action later.
//!
//! SIGINT and SIGTERM stop the server: the first lets transfers finish, the second does not, and the third
//! exits without waiting for the last lines of the logs. Before the server serves, the first one exits at
//! once. SIGUSR1 and SIGHUP reopen the access log, and SIGHUP has the password file and the certificates read again.
//! Without all three SIGHUP keeps its default action, so that closing the terminal ends the server.

use std::io;
use std::process;
use std::sync::{Arc, Mutex};
use std::thread;

use http_concurrent::cli::catch_signals;
use http_concurrent::lock::lock;
use http_concurrent::server::{CertificateSummary, LogHandle, Reloaded, Reloader, Stopper};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Handle;
use signal_hook::low_level::emulate_default_handler;

use crate::hints::{passwords_hint, tls_hint};

/// Connects the signal thread with the server, its access log, and the files that it reads again.
#[derive(Debug)]
pub(crate) struct SignalHandler {
    state: Arc<Mutex<State>>,
    signals: Handle,
}

/// Decides what a signal does.
#[derive(Debug)]
struct State {
    on_hangup: OnHangup,
    access_log: Option<LogHandle>,
    /// A signal to reopen the log came before the log was open.
    must_reopen: bool,
    reloader: Option<Reloader>,
    /// SIGHUP came before the server could read its files again.
    must_reload: bool,
    /// `None` until the server serves.
    stopper: Option<Stopper>,
    stop_signals: u32,
}

/// The effect of SIGHUP.
#[derive(Clone, Copy, Debug)]
enum OnHangup {
    /// The command line, which decides, has not been read yet.
    Undecided {
        received: bool,
    },
    DefaultAction,
    /// Reopen the access log, and read passwords and certificates again.
    Reload,
}

impl SignalHandler {
    /// Catches the signals, and handles them in a thread that lives as long as the program. If SIGHUP is
    /// ignored, as under nohup(1), it stays ignored unless there is an access log, a password file or a
    /// certificate.
    ///
    /// # Errors
    /// The thread, or the pipe that wakes it, cannot be created.
    pub(crate) fn start() -> io::Result<Self> {
        let mut signals = catch_signals(&[SIGINT, SIGTERM, SIGUSR1])?;
        let handle = signals.handle();
        let on_hangup = OnHangup::Undecided { received: false };
        let state = State {
            on_hangup,
            access_log: None,
            must_reopen: false,
            reloader: None,
            must_reload: false,
            stopper: None,
            stop_signals: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                lock(&shared).handle(signal);
            }
        })?;
        Ok(Self { state, signals: handle })
    }

    /// SIGHUP reopens the access log, and has passwords and certificates read again, as soon as there are any.
    ///
    /// # Errors
    /// SIGHUP cannot be caught.
    pub(crate) fn expect_reload(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut state.on_hangup, OnHangup::Reload);
        if matches!(before, OnHangup::Undecided { received: true }) {
            state.handle(SIGHUP);
        }
        drop(state);
        self.signals.add_signal(SIGHUP)
    }

    /// There is nothing to reopen or to read again: SIGHUP ends the program, also if it came earlier.
    pub(crate) fn expect_no_reload(&self) {
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut state.on_hangup, OnHangup::DefaultAction);
        if matches!(before, OnHangup::Undecided { received: true }) {
            state.handle(SIGHUP);
        }
    }

    /// Sets the log that signals reopen, and reopens it if a signal came earlier.
    pub(crate) fn set_access_log(&self, access_log: LogHandle) {
        let mut state = lock(&self.state);
        if state.must_reopen {
            access_log.reopen();
        }
        state.access_log = Some(access_log);
    }

    /// Sets what SIGHUP reads again, and reads it again if it came earlier.
    pub(crate) fn set_reloader(&self, reloader: Reloader) {
        let mut state = lock(&self.state);
        if state.must_reload {
            reload(&reloader);
        }
        state.reloader = Some(reloader);
    }

    /// From now on the first SIGINT or SIGTERM lets transfers finish.
    pub(crate) fn set_stopper(&self, stopper: Stopper) {
        lock(&self.state).stopper = Some(stopper);
    }
}

impl State {
    fn handle(&mut self, signal: i32) {
        match (signal, self.on_hangup) {
            (SIGHUP, OnHangup::Undecided { .. }) => {
                self.on_hangup = OnHangup::Undecided { received: true };
            }
            (SIGHUP, OnHangup::DefaultAction) => {
                if let Err(error) = emulate_default_handler(SIGHUP) {
                    log::error!("cannot apply the default action of SIGHUP: {error}");
                }
            }
            (SIGHUP, OnHangup::Reload) => {
                self.reopen_log();
                self.reload();
            }
            (SIGUSR1, _) => self.reopen_log(),
            _ => self.stop(),
        }
    }

    fn reopen_log(&mut self) {
        match &self.access_log {
            Some(access_log) => access_log.reopen(),
            None => self.must_reopen = true,
        }
    }

    fn reload(&mut self) {
        match &self.reloader {
            Some(reloader) => reload(reloader),
            None => self.must_reload = true,
        }
    }

    fn stop(&mut self) {
        self.stop_signals += 1;
        match (&self.stopper, self.stop_signals) {
            (Some(stopper), 1) => stopper.stop(),
            (Some(stopper), 2) => {
                log::warn!("second signal: stopping at once");
                stopper.stop_at_once();
            }
            _ => process::exit(0),
        }
    }
}

/// Reads passwords and certificates again, and logs the results.
fn reload(reloader: &Reloader) {
    let Reloaded { passwords, certificates } = reloader.reload();
    match passwords {
        None => {}
        Some(Ok(users)) => log::info!("read the password file again: {users} users"),
        Some(Err(error)) => {
            let hint = passwords_hint(&error);
            let error = anyhow::Error::from(error);
            log::error!("the former passwords remain in force: {error:#}{hint}");
        }
    }
    match certificates {
        None => {}
        Some(Ok(certificates)) => {
            let list: Vec<_> = certificates.iter().map(described).collect();
            log::info!("read the certificates again: {}", list.join("; "));
        }
        Some(Err(error)) => {
            let hint = tls_hint(&error);
            let error = anyhow::Error::from(error);
            log::error!("the former certificates remain in force: {error:#}{hint}");
        }
    }
}

fn described(certificate: &CertificateSummary) -> String {
    format!("{} until {}", certificate.title(), certificate.validity.not_after)
}
