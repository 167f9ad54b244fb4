//! `http_client_concurrent`: the arguments, the log, the report and the exit status. Fetching is the
//! library's.

#![forbid(unsafe_code)]

mod args;
mod checksums;
mod config;
mod demo;
mod documents;
mod interrupt;
mod lab;
mod lab_args;
mod progress;
mod quantity;
mod report;
mod usage;

use std::env;
use std::io::{self, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use args::Args;
use config::Config;
use http_concurrent::client::{Stop, StopReason, download};
use interrupt::Interrupts;
use progress::{Progress, Screen};
use rustix::process::{Resource, getrlimit};

/// Some URL has no file.
const FAILURE: u8 = 1;

/// The command line cannot be used; clap exits with the same for what it refuses.
const USAGE: u8 = 2;

/// The run was interrupted: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // What may start the program anew comes first, since that would lose a signal which has been caught.
    save_address_space();
    let interrupts = match Interrupts::start() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            return fail(&anyhow::Error::new(error).context("cannot wait for signals"), FAILURE);
        }
    };
    let args = Args::from_command_line();
    let screen = Screen::new(args.quiet);
    start_logging(&args, &screen);
    let done = match lab::check(&args) {
        Ok(()) if args.lab.demo => demo::run(&args, &interrupts),
        Ok(()) => match Config::resolve(&args) {
            Ok(config) if args.lab.is_comparison() => lab::run(&args, &config, &interrupts),
            Ok(config) => match documents::check(&args, &config.plan.jobs, &config.directory) {
                Ok(()) => run(&args, &config, &screen, &interrupts),
                Err(error) => return fail(&error, USAGE),
            },
            Err(error) => return fail(&error, USAGE),
        },
        Err(error) => return fail(&error, USAGE),
    };
    match done {
        Ok(status) => status,
        Err(error) => fail(&error, FAILURE),
    }
}

/// Starts the program anew with a single allocation arena where the address space is limited (`ulimit -v`):
/// each further one would take 64 MiB of it (mallopt(3)), and threads then fail to allocate. Where that does
/// not work, there are fewer threads.
fn save_address_space() {
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    if getrlimit(Resource::As).current.is_none() || env::var_os(ARENAS).is_some() {
        return;
    }
    let mut arguments = env::args_os();
    if let (Ok(program), Some(name)) = (env::current_exe(), arguments.next()) {
        // Returns only if it fails.
        let _ = Command::new(program).arg0(name).args(arguments).env(ARENAS, "1").exec();
    }
}

fn start_logging(args: &Args, screen: &Screen) {
    env_logger::Builder::new()
        .target(env_logger::Target::Pipe(Box::new(screen.clone())))
        .filter_level(args.log_level())
        // What it says belongs to the connection that it fails, and is said there.
        .filter_module("rustls", log::LevelFilter::Off)
        .format_timestamp(None)
        .format_target(false)
        .parse_default_env()
        .init();
}

fn run(
    args: &Args,
    config: &Config,
    screen: &Screen,
    interrupts: &Interrupts,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    interrupts.stop(&stop);
    let jobs = &config.plan.jobs;
    let progress = Progress::new(jobs, screen);
    let run = download(jobs, &config.directory, &config.settings, &stop, &progress)?;
    progress.end();
    let is_interrupted = stop.reason() == Some(StopReason::Interrupted);
    if !args.quiet && !documents::have_stdout(args) {
        let report = report::report(jobs, &run, report::Detail::of(args));
        documents::write_to_stdout(|out| out.write_all(report.as_bytes()))
            .context("cannot write the report")?;
    }
    documents::write(args, jobs, &run, is_interrupted)?;
    Ok(if is_interrupted {
        INTERRUPTED.into()
    } else if run.failures() > 0 || !config.plan.errors.is_empty() {
        FAILURE.into()
    } else {
        ExitCode::SUCCESS
    })
}

/// Unlike `eprintln!`, does not mind that nobody reads it.
fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "http_client_concurrent: {error:#}");
    status.into()
}
