//! `http_client_concurrent`: arguments, log, report and exit status. The library does the fetching.
//!
//! `args` is the parsed command line, `config` the validated settings of a run. Nothing is fetched before
//! both have succeeded.

#![forbid(unsafe_code)]

mod args;
mod checksums;
mod command_line;
mod config;
mod demo;
mod documents;
mod exit_status;
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
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use args::Args;
use config::Config;
use exit_status::{FAILURE, INTERRUPTED, USAGE};
use http_concurrent::client::{Stop, StopReason, download};
use interrupt::Interrupts;
use progress::{Progress, Screen};
use rustix::process::{Resource, getrlimit};

fn main() -> ExitCode {
    // Before signals are caught: exec would lose one that had been.
    restart_with_one_arena();
    let interrupts = match Interrupts::start() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            return fail(&anyhow::Error::new(error).context("cannot wait for signals"), FAILURE);
        }
    };
    let args = Args::from_command_line();
    let screen = Screen::new(args.quiet);
    start_logging(&args, &screen);
    let task = match Task::resolve(&args) {
        Ok(task) => task,
        Err(error) => return fail(&error, USAGE),
    };
    let done = match &task {
        Task::Demo => demo::run(&args, &interrupts),
        Task::Experiment(config) => lab::run(&args, config, &interrupts),
        Task::Download(config) => run(&args, config, &screen, &interrupts),
    };
    done.unwrap_or_else(|error| fail(&error, FAILURE))
}

/// What the command line asks for, validated.
enum Task {
    Demo,
    Experiment(Config),
    Download(Config),
}

impl Task {
    fn resolve(args: &Args) -> anyhow::Result<Self> {
        lab::check(args)?;
        if args.lab.demo {
            documents::check(args, &[], Path::new(""))?;
            return Ok(Self::Demo);
        }
        let config = Config::resolve(args)?;
        documents::check(args, &config.plan.jobs, config.directory.path())?;
        Ok(if args.lab.is_comparison() { Self::Experiment(config) } else { Self::Download(config) })
    }
}

/// Restarts the program with a single malloc arena if the address space is limited (`ulimit -v`): each
/// further arena reserves 64 MiB (mallopt(3)), and threads then fail to allocate. If the restart fails, the
/// run uses fewer threads.
fn restart_with_one_arena() {
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
        // Its errors are reported with the URL whose connection failed.
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

/// Prints the error. Unlike `eprintln!` it does not panic if standard error is closed.
fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "http_client_concurrent: {error:#}");
    status.into()
}
