//! `http_client_concurrent`: the arguments, the log, the report and the exit status. Fetching is the
//! library's.

#![forbid(unsafe_code)]

mod args;
mod quantity;
mod report;

use std::error;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use args::Args;
use http_concurrent::client::{
    Job, JobProblem, Observer, Outcome, OutputDirectory, download, plan,
};

/// Some URL has no file.
const FAILURE: u8 = 1;

/// The command line cannot be used; clap exits with the same for what it refuses.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = Args::from_command_line();
    start_logging(&args);
    let (jobs, directory) = match prepare(&args) {
        Ok(prepared) => prepared,
        Err(error) => return fail(&error, USAGE),
    };
    match run(&args, &jobs, &directory) {
        Ok(status) => status,
        Err(error) => fail(&error, FAILURE),
    }
}

fn start_logging(args: &Args) {
    env_logger::Builder::new()
        .filter_level(args.log_level())
        .format_timestamp(None)
        .format_target(false)
        .parse_default_env()
        .init();
}

/// Checks all that can be checked before anything is fetched.
fn prepare(args: &Args) -> anyhow::Result<(Vec<Job>, OutputDirectory)> {
    let jobs = plan(&args.urls).map_err(|error| {
        let advice = advice(&error.problem);
        with_advice(error, advice)
    })?;
    let directory = OutputDirectory::prepare(&args.output)
        .map_err(|error| with_advice(error, "choose another one with -o"))?;
    Ok((jobs, directory))
}

fn run(args: &Args, jobs: &[Job], directory: &OutputDirectory) -> anyhow::Result<ExitCode> {
    let run = download(jobs, directory, &args.settings(), &Messages { jobs })?;
    if !args.quiet {
        let report = report::report(jobs, &run);
        match io::stdout().lock().write_all(report.as_bytes()) {
            // Nobody reads on, but the files are there.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.context("cannot write the report")?,
        }
    }
    Ok(if run.failures() == 0 { ExitCode::SUCCESS } else { FAILURE.into() })
}

fn advice(problem: &JobProblem) -> &'static str {
    match problem {
        JobProblem::Malformed(_) => "write it in full, such as http://localhost:20001/file1.txt",
        JobProblem::Scheme(_) => "write a URL that begins with http://",
        JobProblem::Credentials => "leave them out",
    }
}

fn with_advice(error: impl error::Error + Send + Sync + 'static, advice: &str) -> anyhow::Error {
    anyhow!("{:#} ({advice})", anyhow::Error::from(error))
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
    fn finished(&self, job: usize, outcome: &Outcome) {
        let url = &self.jobs[job].url;
        match report::describe_failure(outcome) {
            Some(failure) => log::error!("{url}: {failure}"),
            None => log::info!("{url}: done"),
        }
    }
}
