//! `http_server_conc`: the arguments, the log, the signals and the exit status. Serving is the
//! library's.

#![forbid(unsafe_code)]

mod args;
mod diagnostics;

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{self, ExitCode};
use std::thread;

use anyhow::Context as _;
use http_concurrent::server::{Budget, Server, ServerConfig, StartError};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let args::Parsed { config, log_level } = args::parse();
    let log = diagnostics::start(log_level);
    let result = run(config);
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

fn run(mut config: ServerConfig) -> anyhow::Result<()> {
    fit_to_descriptors(&mut config);
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot handle signals")?;
    let server = Server::start(&config)?;
    let stopper = server.stopper();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut signals = signals.forever();
            if signals.next().is_some() {
                stopper.stop();
            }
            if signals.next().is_some() {
                log::warn!("stopped at once by a second signal");
                process::exit(0);
            }
        })
        .context("cannot make a thread")?;
    announce(&config, server.address());
    server.run()?;
    Ok(())
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

/// Says what is served, where, and within which limits. Nobody may be listening: that is no error.
fn announce(config: &ServerConfig, address: SocketAddr) {
    let root = config.root.canonicalize().unwrap_or_else(|_| config.root.clone());
    let urls: Vec<String> = reachable(address.ip())
        .into_iter()
        .map(|ip| format!("http://{}/", SocketAddr::new(ip, address.port())))
        .collect();
    let _ = writeln!(
        io::stdout(),
        "Serving {} on {} (at most {} connections a client, {} in all)",
        root.display(),
        urls.join(" and "),
        config.limits.per_client,
        config.limits.total,
    );
}

/// Addresses at which a browser on this machine reaches the server.
fn reachable(ip: IpAddr) -> Vec<IpAddr> {
    match ip {
        IpAddr::V6(ip) if ip.is_unspecified() => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        IpAddr::V4(ip) if ip.is_unspecified() => vec![Ipv4Addr::LOCALHOST.into()],
        ip => vec![ip],
    }
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
