//! `http_server_conc`: arguments, logs, signals and exit status. The library does the serving.

#![forbid(unsafe_code)]

mod args;
mod diagnostics;
mod exposure;
mod hints;
mod signals;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use args::logs::{AccessLogTarget, Destination};
use exposure::warn_of_exposed_secrets;
use hints::hint;
use http_concurrent::server::{AccessLog, Budget, LogSink, Server, ServerConfig, reachable_at};
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
            let hint = error.downcast_ref().map(hint).unwrap_or_default();
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
    let has_files_to_reload = config.passwords.is_some() || config.tls.is_some();
    if access_log.is_some() || has_files_to_reload {
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
    if has_files_to_reload {
        signals.set_reloader(server.reloader());
    }
    warn_of_exposed_secrets(&config, server.address());
    let announcement = announcement(&config, server.address(), server.redirect_address());
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

/// The line that says what is served, at which URLs, and within which limits.
fn announcement(
    config: &ServerConfig,
    address: SocketAddr,
    redirect_address: Option<SocketAddr>,
) -> String {
    let root = config.root.canonicalize().unwrap_or_else(|_| config.root.clone());
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let redirects = redirect_address
        .map(|address| format!(", redirecting from {}", urls("http", address)))
        .unwrap_or_default();
    let waiting = match config.waiting.time {
        Duration::ZERO => String::new(),
        time => format!("; up to {} more wait {time:?} for a slot", config.waiting.capacity),
    };
    format!(
        "Serving {} on {}{redirects} (at most {} connections a client, {} in all{waiting})",
        root.display(),
        urls(scheme, address),
        config.limits.per_client,
        config.limits.total,
    )
}

/// The URLs at which this machine reaches a server that listens on `address`.
fn urls(scheme: &str, address: SocketAddr) -> String {
    let urls: Vec<String> = reachable_at(address.ip())
        .into_iter()
        .map(|ip| format!("{scheme}://{}/", SocketAddr::new(ip, address.port())))
        .collect();
    urls.join(" and ")
}
