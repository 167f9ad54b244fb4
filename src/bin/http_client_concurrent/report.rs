//! What a person reads when all is done: a line for each URL, then the figures.
//!
//! The sum of the fetches stands for the sequential time, and is called what it is. Where a file is
//! missing no speedup is claimed: the two times would not be for the same work.

use std::fmt::{self, Write as _};

use http_concurrent::client::{FetchError, Job, Outcome, Run};

use crate::quantity::{Bytes, Rate, Time};

/// The whole report, with its line endings.
pub(crate) fn report(jobs: &[Job], run: &Run) -> String {
    let mut text = String::new();
    write_report(&mut text, jobs, run).expect("writing into memory does not fail");
    text
}

/// Why a URL has no file, with the causes, and the URL it was redirected to.
pub(crate) fn describe_failure(outcome: &Outcome) -> Option<String> {
    let mut text = with_causes(outcome.result.as_ref().err()?);
    if let Some(url) = &outcome.redirected_to {
        let _ = write!(text, " (redirected to {url})");
    }
    Some(text)
}

/// An error with what led to it.
pub(crate) fn with_causes(error: &FetchError) -> String {
    let causes: Vec<String> = anyhow::Chain::new(error).map(ToString::to_string).collect();
    causes.join(": ")
}

fn write_report(out: &mut String, jobs: &[Job], run: &Run) -> fmt::Result {
    for (job, outcome) in jobs.iter().zip(&run.outcomes) {
        let time = Time(outcome.took);
        match (&outcome.result, describe_failure(outcome)) {
            (Ok(saved), _) => {
                let bytes = Bytes(saved.bytes);
                writeln!(out, "{bytes:>9} {time:>9}  {} -> {}", job.url, saved.path.display())?;
            }
            (Err(_), failure) => {
                let failure = failure.unwrap_or_default();
                writeln!(out, "{:>9} {time:>9}  {}: {failure}", "failed", job.url)?;
            }
        }
    }
    let (urls, failures, bytes) = (run.outcomes.len(), run.failures(), run.bytes());
    let (wall, sum) = (run.wall, run.sum_of_fetches());
    let rate = Rate(bytes, wall);
    writeln!(out)?;
    writeln!(out, "Downloaded       {} of {urls} files, {}", urls - failures, Bytes(bytes))?;
    if run.workers == 1 {
        return writeln!(out, "Sequential time  {} with 1 connection ({rate})", Time(wall));
    }
    let workers = run.workers;
    writeln!(out, "Concurrent time  {} with {workers} connections ({rate})", Time(wall))?;
    writeln!(out, "Sequential time  {} at most: the sum of the {urls} fetches", Time(sum))?;
    if failures == 0 {
        let speedup = sum.as_secs_f64() / wall.as_secs_f64();
        writeln!(out, "Speedup          {speedup:.2}x at most")
    } else {
        writeln!(out, "Speedup          not claimed, since {failures} of {urls} URLs failed")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_concurrent::client::{Arrival, Phases, Saved};
    use http_concurrent::http::Status;

    use super::*;

    fn outcome(result: Result<u64, u16>, millis: u64) -> Outcome {
        let status = |code| Status::new(code).unwrap();
        Outcome {
            result: result
                .map(|bytes| Saved {
                    path: "out/file".into(),
                    bytes,
                    arrival: Arrival::Fetched { status: status(200), continued_from: 0 },
                    checksum: None,
                })
                .map_err(|code| FetchError::Status { status: status(code), retry_after: None }),
            redirected_to: None,
            worker: 0,
            took: Duration::from_millis(millis),
            phases: Phases::default(),
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
        report(&jobs, &Run { outcomes, workers, wall, limits: Vec::new() })
    }

    #[test]
    fn a_concurrent_run_has_two_times_and_a_speedup() {
        assert_eq!(
            report_of(2, vec![outcome(Ok(14), 4), outcome(Ok(262_144), 5)]),
            "     14 B   4.00 ms  http://host/1 -> out/file\n  \
             256 KiB   5.00 ms  http://host/2 -> out/file\n\n\
             Downloaded       2 of 2 files, 256 KiB\n\
             Concurrent time  5.00 ms with 2 connections (50.0 MiB/s)\n\
             Sequential time  9.00 ms at most: the sum of the 2 fetches\n\
             Speedup          1.80x at most\n"
        );
    }

    #[test]
    fn a_sequential_run_is_called_one() {
        assert_eq!(
            report_of(1, vec![outcome(Ok(14), 4)]),
            "     14 B   4.00 ms  http://host/1 -> out/file\n\n\
             Downloaded       1 of 1 files, 14 B\n\
             Sequential time  5.00 ms with 1 connection (2.73 KiB/s)\n"
        );
    }

    #[test]
    fn a_failure_is_told_and_no_speedup_claimed() {
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
        assert!(
            text.ends_with("Speedup          not claimed, since 1 of 2 URLs failed\n"),
            "{text}"
        );
    }
}
