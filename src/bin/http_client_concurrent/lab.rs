//! Runs an experiment with the user's URLs: arguments, progress, conditions, and where the result goes. The
//! library measures and renders.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, bail};
use http_concurrent::client::{
    Destination, OPENING_POLICY, Settings, Stop, StopReason, redacted_path,
};
use http_concurrent::lab::DownloadExecutor;
use http_concurrent::lab::experiment::{Executor, conduct};
use http_concurrent::lab::findings::{BodyHandling, Claim, Conditions, Findings};
use http_concurrent::lab::measurement::RunRecord;
use http_concurrent::lab::processor;
use http_concurrent::lab::report;
use http_concurrent::lab::schedule::{Schedule, automatic_levels};

use crate::args::Args;
use crate::command_line;
use crate::config::Config;
use crate::documents;
use crate::exit_status::{FAILURE, INTERRUPTED};
use crate::interrupt::Interrupts;
use crate::lab_args::Sweep;

/// Refuses options that cannot be combined with an experiment, before anything is fetched. `documents` checks the
/// files of its results.
pub(crate) fn check(args: &Args) -> anyhow::Result<()> {
    if !args.lab.is_comparison() && !args.lab.demo {
        return Ok(());
    }
    for (is_given, option) in [
        (args.skip_existing, "--skip-existing"),
        (args.no_clobber, "--no-clobber"),
        (args.go_on, "--continue"),
    ] {
        if is_given {
            bail!(
                "{option} cannot be used in an experiment, which fetches every file in every run: \
                 leave it out"
            );
        }
    }
    for (is_given, option) in [
        (args.sha256, "--sha256"),
        (args.timings, "--timings"),
        (args.har.is_some(), "--har"),
        (args.failed_list.is_some(), "--failed-list"),
    ] {
        if is_given {
            bail!(
                "{option} describes one run, and an experiment makes many: use --report or --json"
            );
        }
    }
    if args.split.get() > 1 {
        bail!(
            "--split cannot be used in an experiment, which uses one connection per file: leave it out"
        );
    }
    if args.concurrency.is_some_and(|most| most.get() == 1) && !args.lab.null {
        bail!(
            "-c 1 would compare one connection with itself: choose at least 2 connections with -c"
        );
    }
    if args.lab.report_path().is_some_and(documents::is_stdout) {
        bail!("--report needs a file: only --json can write to standard output");
    }
    Ok(())
}

/// Runs the experiment with the user's URLs, and writes its result.
pub(crate) fn run(
    args: &Args,
    config: &Config,
    interrupts: &Interrupts,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    interrupts.stop(&stop);
    let schedule = schedule(args, config.plan.jobs.len());
    let started_at = SystemTime::now();
    let findings = {
        let clock = Instant::now();
        let downloads = DownloadExecutor::new(
            &config.plan.jobs,
            &config.directory,
            config.settings.clone(),
            &stop,
        );
        let mut executor = Announced::new(downloads, &schedule, "", args.quiet);
        let trial = conduct(schedule, &mut executor, &clock);
        let (servers, proxies) = (executor.executor.servers(), executor.executor.proxies());
        drop(executor);
        let conditions =
            Conditions { servers, proxies, ..conditions(started_at, &config.settings) };
        Findings::new(trial, conditions)
    };
    let renderings = Renderings {
        text: &|| report::text(&findings),
        json: &|| report::json(&findings),
        html: &|| report::html(&findings),
    };
    renderings.deliver(args)?;
    Ok(match stop.reason() {
        Some(StopReason::Interrupted) => INTERRUPTED.into(),
        _ if !is_whole(&findings) || !config.plan.errors.is_empty() => FAILURE.into(),
        _ => ExitCode::SUCCESS,
    })
}

/// True if the data support a statement, even that nothing was gained.
pub(crate) fn is_whole(findings: &Findings) -> bool {
    !matches!(findings.claim, Claim::Refused { .. })
}

fn schedule(args: &Args, urls: usize) -> Schedule {
    let schedule = match &args.lab.sweep {
        None if args.lab.null => Schedule::null(wanted_concurrency(args)),
        None => Schedule::compare(wanted_concurrency(args)),
        Some(sweep) => {
            let levels = match sweep {
                Sweep::Automatic => automatic_levels(urls),
                Sweep::Levels(levels) => levels.clone(),
            };
            let most = levels.iter().copied().max().filter(|most| *most > 1);
            let chosen = args.concurrency.map(std::num::NonZeroUsize::get).or(most);
            Schedule::sweep(&levels, chosen.unwrap_or_else(|| wanted_concurrency(args)))
        }
    };
    limited(schedule, args)
}

fn wanted_concurrency(args: &Args) -> usize {
    args.concurrency.unwrap_or(Settings::default().concurrency).get()
}

/// The schedule with the number of rounds and the time limit of the arguments.
pub(crate) fn limited(schedule: Schedule, args: &Args) -> Schedule {
    let schedule = match args.lab.runs {
        Some(rounds) => schedule.with_rounds(rounds.get()),
        None => schedule,
    };
    match args.max_time {
        Some(max_time) => schedule.with_max_time(max_time),
        None => schedule,
    }
}

/// The conditions of an experiment that begins at `started_at`.
pub(crate) fn conditions(started_at: SystemTime, settings: &Settings) -> Conditions {
    let started = jiff::Timestamp::try_from(started_at)
        .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    let read =
        |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    let (kernel, release) = (read("ostype"), read("osrelease"));
    let further = [
        ("Connections", "opened anew in every run, kept from one file to the next"),
        ("Opening", OPENING_POLICY),
        ("Name look-ups", "once a run for each host"),
    ];
    Conditions {
        started,
        client: concat!(env!("CARGO_BIN_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        servers: Vec::new(),
        system: format!("{} {}, {}", kernel.trim(), release.trim(), std::env::consts::ARCH),
        processors: thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        processor_model: processor::model(),
        governor: processor::governor(),
        command: command_line::shown(
            env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()),
        ),
        max_per_host: settings.per_host.map(std::num::NonZeroUsize::get),
        proxies: Vec::new(),
        bodies: match settings.saving.destination {
            Destination::File => BodyHandling::Saved,
            Destination::Discard => BodyHandling::Discarded,
        },
        further: further.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
    }
}

/// An executor that shows the number of the current run on a terminal.
pub(crate) struct Announced<'a, E> {
    executor: E,
    prefix: &'a str,
    runs: usize,
    begun: usize,
    is_shown: bool,
}

impl<'a, E> Announced<'a, E> {
    pub(crate) fn new(executor: E, schedule: &Schedule, prefix: &'a str, is_quiet: bool) -> Self {
        let runs = 1 + schedule.rounds() * schedule.levels().len();
        let is_shown = !is_quiet && io::stderr().is_terminal();
        Self { executor, prefix, runs, begun: 0, is_shown }
    }
}

impl<E: Executor> Executor for Announced<'_, E> {
    fn run(&mut self, concurrency: usize) -> RunRecord {
        self.begun += 1;
        if self.is_shown {
            let (prefix, begun, runs) = (self.prefix, self.begun, self.runs);
            let _ =
                write!(io::stderr(), "\r\x1b[K{prefix}run {begun} of {runs}: c = {concurrency}");
        }
        self.executor.run(concurrency)
    }

    fn was_interrupted(&self) -> bool {
        self.executor.was_interrupted()
    }
}

impl<E> Drop for Announced<'_, E> {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// A result in its three forms, each of which is made only if it is wanted.
pub(crate) struct Renderings<'r> {
    pub(crate) text: &'r dyn Fn() -> String,
    pub(crate) json: &'r dyn Fn() -> String,
    pub(crate) html: &'r dyn Fn() -> String,
}

impl Renderings<'_> {
    /// Prints the result and writes the files that the arguments ask for.
    pub(crate) fn deliver(&self, args: &Args) -> anyhow::Result<()> {
        let write = |path: &Path, rendering: &dyn Fn() -> String| {
            fs::write(path, rendering())
                .with_context(|| format!("cannot write {}", redacted_path(path)))
        };
        let page = args.lab.report_path();
        if let Some(path) = page {
            write(path, self.html)?;
        }
        if let Some(path) = json_path(args) {
            write(path, self.json)?;
        }
        let printed = match &args.json {
            Some(path) if documents::is_stdout(path) => (self.json)(),
            _ if args.quiet => return Ok(()),
            _ => {
                let mut text = (self.text)();
                if let Some(path) = page {
                    let _ = writeln!(text, "\nThe report is in {}.", redacted_path(path));
                }
                text
            }
        };
        documents::write_to_stdout(|out| out.write_all(printed.as_bytes()))
            .context("cannot write the result")
    }
}

/// The file for the JSON, unless it goes to standard output.
fn json_path(args: &Args) -> Option<&Path> {
    args.json.as_deref().filter(|path| !documents::is_stdout(path))
}
