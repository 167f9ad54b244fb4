//! `http_server_conc`: the arguments, the log, the signals and the exit status. Serving is the
//! library's.

#![forbid(unsafe_code)]

mod args;
mod diagnostics;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::thread;

use anyhow::Context as _;
use args::{AccessLogTarget, Destination};
use http_concurrent::server::{
    AccessLog, Budget, LogHandle, LogSink, Server, ServerConfig, StartError, Stopper, reachable_at,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let args::Parsed { mut config, access_log, log_level } = args::parse();
    let log = diagnostics::start(log_level);
    config.logs.extend(log.as_ref().map(LogSink::handle));
    let result = run(config, access_log);
    // What was logged comes before the last word.
    drop(log);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = error.downcast_ref().map_or("", hint);
            eprintln!("http_server_conc: {error:#}{hint}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut config: ServerConfig, access_log: Option<AccessLogTarget>) -> anyhow::Result<()> {
    fit_to_descriptors(&mut config);
    let log_has_standard_output = access_log
        .as_ref()
        .is_some_and(|log| matches!(log.destination, Destination::StandardOutput));
    let access_log = access_log.map(|target| open(target, &mut config)).transpose()?;
    let reopened = access_log.as_ref().map(LogSink::handle);
    let mut watched = vec![SIGINT, SIGTERM, SIGUSR1];
    if access_log.is_some() {
        // Without a log to open anew, the end of the terminal is the end of the server.
        watched.push(SIGHUP);
    }
    let signals = Signals::new(watched).context("cannot handle signals")?;
    let server = Server::start(&config)?;
    let stopper = server.stopper();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || attend(signals, &stopper, reopened.as_ref()))
        .context("cannot make a thread")?;
    let announcement = announcement(&config, server.address());
    // Nobody may be listening: that is no error.
    let _ = if log_has_standard_output {
        writeln!(io::stderr(), "{announcement}")
    } else {
        writeln!(io::stdout(), "{announcement}")
    };
    server.run()?;
    Ok(())
}

/// Opens the access log and has the server write to it, as long as the sink lives.
fn open(target: AccessLogTarget, config: &mut ServerConfig) -> anyhow::Result<LogSink> {
    let sink = match target.destination {
        Destination::StandardOutput => LogSink::to_descriptor("standard output", io::stdout())
            .context("cannot write the access log to standard output"),
        Destination::File(path) => LogSink::append_to(&path).with_context(|| {
            format!("cannot open the access log {} (choose another file)", path.display())
        }),
    }?;
    config.logs.push(sink.handle());
    config.access_log = AccessLog::Sink { handle: sink.handle(), format: target.format };
    Ok(sink)
}

/// The first signal to end lets transfers finish, the second does not, and the third waits for nothing,
/// not even for the last lines of the logs; others open the access log anew.
fn attend(mut signals: Signals, stopper: &Stopper, access_log: Option<&LogHandle>) {
    let mut signals_to_end = 0;
    for signal in signals.forever() {
        match signal {
            SIGHUP | SIGUSR1 => access_log.into_iter().for_each(LogHandle::reopen),
            _ => {
                signals_to_end += 1;
                match signals_to_end {
                    1 => stopper.stop(),
                    2 => {
                        log::warn!("stopped at once by a second signal");
                        stopper.stop_at_once();
                    }
                    _ => process::exit(0),
                }
            }
        }
    }
}

fn fit_to_descriptors(config: &mut ServerConfig) {
    let wanted = config.limits.total;
    let budget = Budget::claim(wanted);
    if budget.total < wanted {
        log::warn!(
            "-maxtotal {wanted} needs more descriptors than the {} this process may have: serving \
             at most {} connections (ulimit -n raises the limit)",
            budget.limit,
            budget.total,
        );
    }
    config.limits.total = budget.total;
    config.policy.capacity = budget.capacity;
    config.lingering = budget.lingering;
}

/// What is served, where, and within which limits.
fn announcement(config: &ServerConfig, address: SocketAddr) -> String {
    let root = config.root.canonicalize().unwrap_or_else(|_| config.root.clone());
    let urls: Vec<String> = reachable_at(address.ip())
        .into_iter()
        .map(|ip| format!("http://{}/", SocketAddr::new(ip, address.port())))
        .collect();
    format!(
        "Serving {} on {} (at most {} connections a client, {} in all)",
        root.display(),
        urls.join(" and "),
        config.limits.per_client,
        config.limits.total,
    )
}

/// What to do about an error, in terms of the command line.
fn hint(error: &StartError) -> &'static str {
    match error {
        StartError::Site(_) => " (choose the directory with --root)",
        StartError::Listen { source, .. } => match source.kind() {
            io::ErrorKind::AddrInUse => " (another server? choose another port with -p)",
            io::ErrorKind::PermissionDenied => {
                " (ports below 1024 need privileges: choose a higher one with -p)"
            }
            io::ErrorKind::AddrNotAvailable => {
                " (no interface has this address: choose another with --bind)"
            }
            _ => "",
        },
        StartError::Thread(_) => " (ulimit -u may be too low)",
    }
}
