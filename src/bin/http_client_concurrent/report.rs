//! The report of a run: a line for each URL, then the figures.
//!
//! The sum of the fetches is an upper bound of the sequential time, and is labelled so. If a URL failed, no
//! speedup is claimed: the two times would not be for the same work.

use std::fmt::{self, Write as _};

use http_concurrent::client::{
    Algorithm, Job, LearntLimit, Outcome, Percentiles, Retrieval, Run, Summary, error_chain,
    redacted_path, redacted_url,
};

use crate::args::Args;
use crate::quantity::{Bytes, Rate, Time};

/// How much is reported of each URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Line,
    /// Also where its time went.
    Timings,
}

impl Detail {
    pub(crate) fn of(args: &Args) -> Self {
        if args.timings { Self::Timings } else { Self::Line }
    }
}

/// The whole report, including line endings.
pub(crate) fn report(jobs: &[Job], run: &Run, detail: Detail) -> String {
    let mut text = String::new();
    write_report(&mut text, jobs, run, detail).expect("writing into memory does not fail");
    text
}

/// Why a URL failed, with the causes, and the URL it was redirected to.
pub(crate) fn describe_failure(outcome: &Outcome) -> Option<String> {
    let mut text = error_chain(outcome.result.as_ref().err()?);
    if let Some(url) = &outcome.redirected_to {
        let _ = write!(text, " (redirected to {})", redacted_url(url));
    }
    Some(text)
}

fn write_report(out: &mut String, jobs: &[Job], run: &Run, detail: Detail) -> fmt::Result {
    for (job, outcome) in jobs.iter().zip(&run.outcomes) {
        write_line(out, job, outcome)?;
        if detail == Detail::Timings {
            write_timings(out, outcome)?;
        }
    }
    let summary = run.summary();
    let (urls, failures) = (run.outcomes.len(), run.failures());
    let (wall, sum) = (run.wall, run.sum_of_fetches());
    let rate = Rate { bytes: summary.bytes, time: wall };
    writeln!(out)?;
    writeln!(
        out,
        "Downloaded       {} of {urls} files, {}",
        summary.fetched,
        Bytes(summary.bytes)
    )?;
    if run.workers == 1 {
        writeln!(out, "Sequential time  {} with 1 connection ({rate})", Time(wall))?;
    } else {
        let workers = run.workers;
        writeln!(out, "Concurrent time  {} with {workers} connections ({rate})", Time(wall))?;
        writeln!(out, "Sequential time  {} at most: the sum of the {urls} fetches", Time(sum))?;
        if failures == 0 {
            let speedup = sum.as_secs_f64() / wall.as_secs_f64();
            writeln!(out, "Speedup          {speedup:.2}x at most")?;
        } else {
            writeln!(out, "Speedup          not claimed, since {failures} of {urls} URLs failed")?;
        }
    }
    write_figures(out, &summary)?;
    for limit in &run.limits {
        write_limit(out, limit)?;
    }
    Ok(())
}

fn write_line(out: &mut String, job: &Job, outcome: &Outcome) -> fmt::Result {
    let time = Time(outcome.took);
    match (&outcome.result, describe_failure(outcome)) {
        (Ok(saved), _) => {
            let (url, path) = (redacted_url(&job.url), redacted_path(&saved.path));
            if saved.retrieval == Retrieval::Skipped {
                return writeln!(
                    out,
                    "{:>9} {:>9}  {url} -> {path} (already there)",
                    "skipped", ""
                );
            }
            write!(out, "{:>9} {time:>9}  {url} -> {path}", Bytes(saved.bytes))?;
            for checksum in &saved.checksums {
                match checksum.algorithm() {
                    Algorithm::Sha256 => write!(out, "  {checksum}")?,
                    other => write!(out, "  {other} {checksum}")?,
                }
            }
            writeln!(out)
        }
        (Err(_), failure) => {
            let failure = failure.unwrap_or_default();
            writeln!(out, "{:>9} {time:>9}  {}: {failure}", "failed", redacted_url(&job.url))
        }
    }
}

fn write_timings(out: &mut String, outcome: &Outcome) -> fmt::Result {
    let phases: Vec<_> = outcome
        .phases
        .named()
        .into_iter()
        .filter(|(_, time)| !time.is_zero())
        .map(|(name, time)| format!("{} {}", name.replace('_', " "), Time(time)))
        .collect();
    let attempts = match outcome.attempts {
        0 | 1 => String::new(),
        attempts => format!(" in {attempts} attempts"),
    };
    writeln!(out, "{:>21}{}{attempts}", "", phases.join(", "))
}

/// Figures that only some runs have.
fn write_figures(out: &mut String, summary: &Summary) -> fmt::Result {
    if summary.fetched > 1 {
        let Percentiles { p50, p90, p99, max } = summary.took;
        let (p50, p90, p99, max) = (Time(p50), Time(p90), Time(p99), Time(max));
        writeln!(out, "Times            half within {p50}, 90 % {p90}, 99 % {p99}, all {max}")?;
    }
    for (name, count, what) in [
        ("Continued", summary.continued, "files from partial ones"),
        ("Skipped", summary.skipped, "files that were already there"),
    ] {
        if count > 0 {
            writeln!(out, "{name:<16} {count} {what}")?;
        }
    }
    if summary.retries > 0 {
        let waited = Time(summary.phases.waiting);
        writeln!(out, "Retries          {} ({waited} of waiting in total)", summary.retries)?;
    }
    if summary.failed > 0 {
        let causes: Vec<_> = summary
            .failures_by_kind
            .iter()
            .map(|(cause, count)| format!("{count} {cause}"))
            .collect();
        writeln!(out, "Failed           {}: {}", summary.failed, causes.join(", "))?;
    }
    Ok(())
}

fn write_limit(out: &mut String, limit: &LearntLimit) -> fmt::Result {
    let LearntLimit { host, connections, rejections, cost, is_advertised } = limit;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    write!(
        out,
        "Limit            {host} accepts {connections} connection{} at a time ",
        plural(*connections)
    )?;
    let (s, cost) = (plural(*rejections as usize), Time(*cost));
    match (is_advertised, rejections) {
        (true, 0) => writeln!(out, "(as advertised)"),
        (true, _) => writeln!(out, "(as advertised; {rejections} rejection{s} cost {cost})"),
        (false, _) => writeln!(out, "(learnt from {rejections} rejection{s}, which cost {cost})"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_concurrent::client::{FetchError, Phases, Saved};
    use http_concurrent::http::Status;

    use super::*;

    fn outcome(result: Result<u64, u16>, millis: u64) -> Outcome {
        let status = |code| Status::new(code).unwrap();
        Outcome {
            result: result
                .map(|bytes| Saved {
                    path: "out/file".into(),
                    bytes,
                    retrieval: Retrieval::Fetched { status: status(200), continued_from: 0 },
                    checksums: Box::default(),
                })
                .map_err(|code| FetchError::Status { status: status(code), retry_after: None }),
            redirected_to: None,
            worker: 0,
            took: Duration::from_millis(millis),
            phases: Phases { first_byte: Duration::from_millis(1), ..Phases::default() },
            attempts: 1,
            rejections: 0,
            received: 0,
        }
    }

    fn report_of(workers: usize, outcomes: Vec<Outcome>) -> String {
        let job = |number| Job {
            url: format!("http://host/{number}").parse().unwrap(),
            credentials: None,
            file_name: String::new(),
            checksum: None,
            is_name_chosen: false,
        };
        let jobs: Vec<_> = (1..=outcomes.len()).map(job).collect();
        let wall = Duration::from_millis(5);
        let started = std::time::SystemTime::UNIX_EPOCH;
        let limit = LearntLimit {
            host: "http://host".into(),
            connections: 12,
            rejections: 3,
            cost: Duration::from_millis(100),
            is_advertised: false,
        };
        let limits = if workers > 2 { vec![limit] } else { Vec::new() };
        let run = Run { outcomes, workers, wall, started, limits, servers: Vec::new() };
        report(&jobs, &run, Detail::Timings)
    }

    #[test]
    fn a_concurrent_run_has_two_times_and_a_speedup() {
        assert_eq!(
            report_of(2, vec![outcome(Ok(14), 4), outcome(Ok(262_144), 5)]),
            "     14 B   4.00 ms  http://host/1 -> out/file\n                     \
             first byte 1.00 ms\n  \
             256 KiB   5.00 ms  http://host/2 -> out/file\n                     \
             first byte 1.00 ms\n\n\
             Downloaded       2 of 2 files, 256 KiB\n\
             Concurrent time  5.00 ms with 2 connections (50.0 MiB/s)\n\
             Sequential time  9.00 ms at most: the sum of the 2 fetches\n\
             Speedup          1.80x at most\n\
             Times            half within 4.00 ms, 90 % 5.00 ms, 99 % 5.00 ms, all 5.00 ms\n"
        );
    }

    #[test]
    fn a_sequential_run_is_called_one() {
        assert_eq!(
            report_of(1, vec![outcome(Ok(14), 4)]),
            "     14 B   4.00 ms  http://host/1 -> out/file\n                     \
             first byte 1.00 ms\n\n\
             Downloaded       1 of 1 files, 14 B\n\
             Sequential time  5.00 ms with 1 connection (2.73 KiB/s)\n"
        );
    }

    #[test]
    fn a_failure_is_reported_and_no_speedup_claimed() {
        let mut failed = outcome(Err(404), 1);
        failed.redirected_to = Some(Box::new("http://host/gone".parse().unwrap()));
        let text = report_of(2, vec![outcome(Ok(14), 4), failed]);
        assert!(
            text.contains(
                "\n   failed   1.00 ms  http://host/2: the server answered 404 Not Found \
                 (redirected to http://host/gone)\n"
            ),
            "{text}"
        );
        assert!(text.contains("Downloaded       1 of 2 files, 14 B\n"), "{text}");
        let ending = "Speedup          not claimed, since 1 of 2 URLs failed\n\
                      Failed           1: 1 status 404\n";
        assert!(text.ends_with(ending), "{text}");
    }

    #[test]
    fn the_limit_of_a_host_is_reported_with_the_cost_of_learning_it() {
        let text = report_of(64, vec![outcome(Ok(14), 4)]);
        let ending = "Limit            http://host accepts 12 connections at a time \
                      (learnt from 3 rejections, which cost 100 ms)\n";
        assert!(text.ends_with(ending), "{text}");
        for (rejections, expected) in
            [(0, "(as advertised)\n"), (1, "(as advertised; 1 rejection cost 20.0 ms)\n")]
        {
            let mut text = String::new();
            let limit = LearntLimit {
                host: "http://host".into(),
                connections: 3,
                rejections,
                cost: Duration::from_millis(20),
                is_advertised: true,
            };
            write_limit(&mut text, &limit).unwrap();
            assert!(text.ends_with(expected), "{text}");
        }
    }
}
