//! `http_server_conc`: arguments, logs, signals and exit status. The library does the serving.

#![forbid(unsafe_code)]

mod args;
mod diagnostics;
mod signals;

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use args::logs::{AccessLogTarget, Destination};
use http_concurrent::server::{
    AccessLog, Budget, LogSink, PasswordFileError, PasswordLineError, Server, ServerConfig,
    SiteError, StartError, reachable_at,
};
use rustix::io::Errno;
use signals::SignalHandler;

fn main() -> ExitCode {
    // First of all: until then a signal has its default action.
    let signals = SignalHandler::start();
    let args::Config { server: mut config, access_log, log_level } = args::parse();
    let log = diagnostics::start(log_level);
    config.logs.extend(log.as_ref().map(LogSink::handle));
    let result = signals
        .context("cannot handle signals")
        .and_then(|signals| run(config, access_log, &signals));
    // Pending log lines are written before the error.
    log.into_iter().for_each(diagnostics::end);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = error.downcast_ref().map_or("", hint);
            eprintln!("http_server_conc: {error:#}{hint}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    mut config: ServerConfig,
    access_log: Option<AccessLogTarget>,
    signals: &SignalHandler,
) -> anyhow::Result<()> {
    if access_log.is_some() || config.passwords.is_some() {
        signals.expect_reload().context("cannot handle signals")?;
    } else {
        signals.expect_no_reload();
    }
    fit_to_descriptors(&mut config);
    let log_has_standard_output = access_log
        .as_ref()
        .is_some_and(|log| matches!(log.destination, Destination::StandardOutput));
    let access_log = access_log.map(|target| open(target, &mut config)).transpose()?;
    if let Some(log) = &access_log {
        signals.set_access_log(log.handle());
    }
    let server = Server::start(&config)?;
    signals.set_stopper(server.stopper());
    if let Some(passwords) = &config.passwords {
        signals.set_passwords(server.password_reloader());
        warn_of_exposed_passwords(&config.root, &passwords.file, server.address());
    }
    let announcement = announcement(&config, server.address());
    // A closed standard output is not an error.
    let _ = if log_has_standard_output {
        writeln!(io::stderr(), "{announcement}")
    } else {
        writeln!(io::stdout(), "{announcement}")
    };
    server.run()?;
    Ok(())
}

/// Opens the access log and adds it to the configuration. The server writes to it while the sink lives.
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

/// Raises the descriptor limit, and lowers the numbers of connections if the limit does not allow them.
fn fit_to_descriptors(config: &mut ServerConfig) {
    let wanted = config.limits.total;
    let waiting = if config.waiting.time.is_zero() { 0 } else { config.waiting.capacity };
    let budget = Budget::claim(wanted, waiting);
    if budget.total < wanted {
        log::warn!(
            "-maxtotal {wanted} needs more file descriptors than the limit of {}: serving at most {} \
             connections (raise the limit with ulimit -n)",
            budget.limit,
            budget.total,
        );
    }
    if budget.waiting < waiting {
        log::warn!(
            "--max-waiting {waiting} needs more file descriptors than the limit of {}: at most {} connections \
             wait (raise the limit with ulimit -n)",
            budget.limit,
            budget.waiting,
        );
    }
    config.limits.total = budget.total;
    config.waiting.capacity = budget.waiting;
    config.policy.capacity = budget.capacity;
    config.lingering = budget.lingering;
}

/// Warns if others can read passwords on their way, or their hashes.
fn warn_of_exposed_passwords(root: &Path, file: &Path, address: SocketAddr) {
    if !address.ip().is_loopback() {
        log::warn!(
            "passwords are not encrypted on their way to {address}: listen on a loopback address \
             (--bind 127.0.0.1) behind a proxy that speaks TLS"
        );
    }
    let paths = root.canonicalize().and_then(|root| Ok((root, file.canonicalize()?)));
    if paths.is_ok_and(|(root, file)| file.starts_with(root)) {
        log::warn!(
            "the password file {} is within the served directory: move it elsewhere",
            file.display()
        );
    }
}

/// The line that says what is served, at which URLs, and within which limits.
fn announcement(config: &ServerConfig, address: SocketAddr) -> String {
    let root = config.root.canonicalize().unwrap_or_else(|_| config.root.clone());
    let urls: Vec<String> = reachable_at(address.ip())
        .into_iter()
        .map(|ip| format!("http://{}/", SocketAddr::new(ip, address.port())))
        .collect();
    let waiting = match config.waiting.time {
        Duration::ZERO => String::new(),
        time => format!("; up to {} more wait {time:?} for a slot", config.waiting.capacity),
    };
    format!(
        "Serving {} on {} (at most {} connections a client, {} in all{waiting})",
        root.display(),
        urls.join(" and "),
        config.limits.per_client,
        config.limits.total,
    )
}

/// Advice about an error, in terms of the command line.
fn hint(error: &StartError) -> &'static str {
    let source = error.source().and_then(<dyn Error>::downcast_ref);
    if source.and_then(Errno::from_io_error) == Some(Errno::MFILE) {
        return " (raise the limit of descriptors with ulimit -n)";
    }
    match error {
        StartError::Site(SiteError::Denied { .. }) => {
            " (in a sandbox, allow openat2 in its system-call filter)"
        }
        StartError::Passwords(PasswordFileError::Line {
            source: PasswordLineError::Hash(_),
            ..
        }) => " (make one with htpasswd -nB USER)",
        StartError::Tls(_) => " (choose other files with --tls-cert and --tls-key)",
        StartError::Passwords(_) => " (choose another file with --auth)",
        StartError::Site(_) => " (choose another directory with --root)",
        StartError::Listen { source, .. } => match source.kind() {
            io::ErrorKind::AddrInUse => " (another server? choose another port with -p)",
            io::ErrorKind::PermissionDenied => {
                " (ports below 1024 need privileges: choose a higher port with -p)"
            }
            io::ErrorKind::AddrNotAvailable => {
                " (no interface has this address: choose another address with --bind)"
            }
            _ => "",
        },
        StartError::Pipe(_) => "",
        StartError::Thread(_) => " (raise the limit of threads with ulimit -u)",
    }
}
