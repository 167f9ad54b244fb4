//! `http_client_concurrent`: the arguments, the log, the report and the exit status. Fetching is the
//! library's.

#![forbid(unsafe_code)]

mod args;
mod config;
mod interrupt;
mod quantity;
mod report;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use args::Args;
use config::Config;
use http_concurrent::client::{FetchError, Job, Observer, Outcome, Stop, StopReason, download};

/// Some URL has no file.
const FAILURE: u8 = 1;

/// The command line cannot be used; clap exits with the same for what it refuses.
const USAGE: u8 = 2;

/// The run was interrupted: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let args = Args::from_command_line();
    start_logging(&args);
    let config = match Config::resolve(&args) {
        Ok(config) => config,
        Err(error) => return fail(&error, USAGE),
    };
    match run(&args, &config) {
        Ok(status) => status,
        Err(error) => fail(&error, FAILURE),
    }
}

fn start_logging(args: &Args) {
    env_logger::Builder::new()
        .filter_level(args.log_level())
        // What it says belongs to the connection that it fails, and is said there.
        .filter_module("rustls", log::LevelFilter::Off)
        .format_timestamp(None)
        .format_target(false)
        .parse_default_env()
        .init();
}

fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    interrupt::stop_on_signals(&stop).context("cannot wait for signals")?;
    let jobs = &config.plan.jobs;
    let run = download(jobs, &config.directory, &config.settings, &stop, &Messages { jobs })?;
    if !args.quiet {
        let report = report::report(jobs, &run);
        match io::stdout().lock().write_all(report.as_bytes()) {
            // Nobody reads on, but the files are there.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.context("cannot write the report")?,
        }
    }
    Ok(match stop.reason() {
        Some(StopReason::Interrupted) => INTERRUPTED.into(),
        _ if run.failures() > 0 || !config.plan.errors.is_empty() => FAILURE.into(),
        _ => ExitCode::SUCCESS,
    })
}

/// Unlike `eprintln!`, does not mind that nobody reads it.
fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "http_client_concurrent: {error:#}");
    status.into()
}

/// Tells of failures when they happen, for runs that go on for long after.
struct Messages<'j> {
    jobs: &'j [Job],
}

impl Observer for Messages<'_> {
    fn retrying(&self, job: usize, error: &FetchError, wait: Duration) {
        let url = &self.jobs[job].url;
        let error = report::with_causes(error);
        log::info!("{url}: {error}; tried again in {wait:.1?}");
    }

    fn finished(&self, job: usize, outcome: &Outcome) {
        let url = &self.jobs[job].url;
        match report::describe_failure(outcome) {
            // Nothing is wrong with those, and there may be thousands.
            Some(_) if matches!(outcome.result, Err(FetchError::Stopped(_))) => {}
            Some(failure) => log::error!("{url}: {failure}"),
            None => log::info!("{url}: done"),
        }
    }
}
