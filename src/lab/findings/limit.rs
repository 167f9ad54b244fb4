//! What keeps the concurrent side from being faster still, in one sentence for a person.
//!
//! The causes are tried in an order in which each rules out the later ones: full processors would not do
//! more for further connections, and a host that refuses them says nothing about the link. The thresholds
//! are round numbers on purpose; a sentence names what dominates, and the figures beside it say how much.
//! What speaks for a cause is gathered in `evidence`.

use serde::Serialize;

use super::super::figures::{Rate, Ratio, Seconds, counted};
use super::super::measurement::RunRecord;
use super::super::statistics::real;
use super::Point;
use super::evidence::{Beyond, Evidence};

/// A sequential run below this is not worth being quickened: 50 ms pass unnoticed.
const UNNOTICED_SECONDS: f64 = 0.05;
/// The share of the processors' time from which they count as full.
const FULL_PROCESSORS: f64 = 0.8;
/// The stretch of the fetches in company, against alone, from which full processors are felt.
const SLOWED: f64 = 1.2;
/// The same, from which something shared is full.
const STRETCHED: f64 = 1.5;
/// The share of a run from which one file, or one wait, is what the run lasted for.
const DOMINANT: f64 = 0.8;

/// What limits the speedup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// There is one URL.
    OneUrl,
    /// The host refuses further connections.
    HostLimit,
    /// Waiting for the host to bear one more, or for other attempts.
    Waiting,
    /// All is over before anybody notices.
    TooSmall,
    /// The processors of this machine.
    Processor,
    /// Name look-ups, connecting, TLS.
    Connecting,
    /// The link, or what the server can put on it.
    Link,
    /// The server's answers.
    Server,
    /// One file.
    LongestFile,
    /// The number of connections: more may gain more.
    Connections,
    /// None of these stands out.
    Unclear,
}

/// What limits the speedup, and the sentence that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    pub cause: Cause,
    pub sentence: String,
}

impl Limit {
    /// What these runs show, or `None` of none; `curve` has the speedups of all levels that were run.
    pub(super) fn of(
        baseline: &[&RunRecord],
        others: &[&RunRecord],
        curve: &[Point],
    ) -> Option<Self> {
        let evidence = Evidence::new(baseline, others, curve)?;
        let (cause, sentence) = evidence
            .too_little()
            .or_else(|| evidence.slowing_processors())
            .or_else(|| evidence.refused())
            .or_else(|| evidence.shared())
            .unwrap_or_else(|| evidence.used_up());
        Some(Self { cause, sentence })
    }
}

type Finding = (Cause, String);

impl Evidence {
    /// The server turned connections or attempts away.
    fn refused(&self) -> Option<Finding> {
        if let Some(limit) = self.host_limit.filter(|&limit| limit < self.usable()) {
            let connections = counted(limit, "connection", "connections");
            let sentence = format!(
                "The host bears {connections} at once: of the {} asked for, {} had to wait.",
                self.concurrency,
                self.concurrency - limit
            );
            return Some((Cause::HostLimit, sentence));
        }
        (self.waiting >= DOMINANT * self.wall).then(|| {
            let waiting = Seconds::new(self.waiting);
            let sentence = format!(
                "Waiting for the host, or for another attempt: {waiting} in a run of {}, all connections \
                 together.",
                Seconds::new(self.wall)
            );
            (Cause::Waiting, sentence)
        })
    }

    fn too_little(&self) -> Option<Finding> {
        if self.urls == 1 {
            let sentence = "There is only one URL: nothing can be fetched beside it.";
            return Some((Cause::OneUrl, sentence.to_owned()));
        }
        (self.sequential_wall < UNNOTICED_SECONDS).then(|| {
            let sentence = format!(
                "The files are too small to matter: one connection fetches all of them in {}.",
                Seconds::new(self.sequential_wall)
            );
            (Cause::TooSmall, sentence)
        })
    }

    /// Others may keep the processors busy as well: that the fetches took longer is the limit's mark.
    fn slowing_processors(&self) -> Option<Finding> {
        let is_slowed = self.concurrent.busy >= SLOWED * self.sequential.busy;
        self.processors().filter(|_| is_slowed)
    }

    /// The processors are full.
    fn processors(&self) -> Option<Finding> {
        let busy = self.processor.filter(|&busy| busy >= FULL_PROCESSORS)?;
        let percent = Ratio::new(100.0 * busy);
        let sentence = format!("The processors of this machine: they were {percent} % busy.");
        Some((Cause::Processor, sentence))
    }

    /// Something else that all fetches share is full.
    fn shared(&self) -> Option<Finding> {
        if self.connecting > self.concurrent.busy / 2.0 {
            let percent = Ratio::new(100.0 * self.connecting / self.concurrent.busy);
            let sentence =
                format!("Opening connections: it took {percent} % of the fetches' time.");
            return Some((Cause::Connecting, sentence));
        }
        if self.concurrent.busy < STRETCHED * self.sequential.busy {
            return None;
        }
        let transfer = self.concurrent.transfer - self.sequential.transfer;
        let first_byte = self.concurrent.first_byte - self.sequential.first_byte;
        let times =
            |concurrent: f64, sequential: f64| Ratio::new(concurrent / sequential.max(1e-9));
        Some(if transfer >= first_byte {
            let sentence = format!(
                "The link, or the server's side of it: a transfer took {} times as long in company as \
                 alone, and all together came at {}.",
                times(self.concurrent.transfer, self.sequential.transfer),
                Rate::new(self.rate)
            );
            (Cause::Link, sentence)
        } else {
            let sentence = format!(
                "The server: its first byte took {} times as long in company as alone.",
                times(self.concurrent.first_byte, self.sequential.first_byte)
            );
            (Cause::Server, sentence)
        })
    }

    /// Nothing shared is full: the run lasted for its longest file, or its connections were all at work.
    fn used_up(&self) -> Finding {
        let achieved = Ratio::new(self.achieved);
        // Files of one length, more of them than connections, keep all connections at work to the end.
        let alone_for_it = self.sequential.busy <= self.longest_alone * real(self.usable());
        if alone_for_it && self.longest >= DOMINANT * self.wall {
            let mut sentence = format!(
                "The longest file: it took {} of the {} that a run lasts",
                Seconds::new(self.longest),
                Seconds::new(self.wall)
            );
            if self.urls <= self.concurrency {
                sentence.push_str(", and no file had to wait for another");
            }
            sentence.push('.');
            (Cause::LongestFile, sentence)
        } else if self.achieved >= DOMINANT * real(self.usable()) {
            let at_work = format!("{achieved} of {} were at work on average", self.concurrency);
            let unhindered = format!("{at_work}, and no fetch was much slower for it");
            match &self.beyond {
                Beyond::Untried => (
                    Cause::Connections,
                    format!("The number of connections: {unhindered}. More of them may gain more."),
                ),
                Beyond::Gain(more) => (
                    Cause::Connections,
                    format!(
                        "The number of connections: {unhindered}. With {} of them the speedup was {}.",
                        more.concurrency, more.ratio
                    ),
                ),
                Beyond::NoGain(more) => (
                    Cause::Unclear,
                    format!(
                        "Not the number of connections: {at_work}, but {} of them gained no more.",
                        more.concurrency
                    ),
                ),
            }
        } else if let Some(processors) = self.processors() {
            // They kept connections from being opened and used.
            processors
        } else {
            let sentence = format!(
                "Nothing stands out: {achieved} of {} connections were at work on average.",
                self.usable()
            );
            (Cause::Unclear, sentence)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::scripted::complete_run;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The cause for 20 files of a second each, on 10 connections, after a change to the concurrent run.
    fn cause(change: impl FnOnce(&mut RunRecord)) -> Cause {
        let sequential = complete_run(1, 20, SECOND);
        let mut concurrent = complete_run(10, 20, SECOND);
        change(&mut concurrent);
        Limit::of(&[&sequential], &[&concurrent], &[]).expect("both sides have a run").cause
    }

    /// Each phase of every fetch as many times as long, and the run with it.
    fn stretch(run: &mut RunRecord, first_byte: u32, transfer: u32) {
        for fetch in &mut run.fetches {
            fetch.phases.first_byte *= first_byte;
            fetch.phases.transfer *= transfer;
        }
        run.wall *= first_byte.max(transfer);
    }

    #[test]
    fn each_cause_is_told_from_the_others() {
        type Change = fn(&mut RunRecord);
        let cases: [(Cause, Change); 11] = [
            (Cause::Connections, |_| ()),
            (Cause::HostLimit, |run| run.host_limit = Some(6)),
            (Cause::Connections, |run| run.host_limit = Some(10)),
            (Cause::Waiting, |run| run.fetches[3].phases.waiting = run.wall),
            (Cause::Connections, |run| run.processor_busy = Some(0.9)),
            (Cause::Processor, |run| {
                run.processor_busy = Some(0.9);
                stretch(run, 1, 2);
            }),
            (Cause::Processor, |run| {
                run.host_limit = Some(6);
                run.processor_busy = Some(0.9);
                stretch(run, 1, 2);
            }),
            (Cause::Link, |run| stretch(run, 1, 4)),
            (Cause::Server, |run| stretch(run, 9, 1)),
            (Cause::Unclear, |run| run.wall *= 3),
            (Cause::Processor, |run| {
                run.processor_busy = Some(0.9);
                run.wall *= 3;
            }),
        ];
        for (expected, change) in cases {
            assert_eq!(cause(change), expected);
        }
    }

    #[test]
    fn connecting_limits_when_it_takes_most_of_the_time() {
        let connecting = |run: &mut RunRecord| {
            for fetch in &mut run.fetches {
                fetch.phases.tls = 2 * SECOND;
            }
            run.wall *= 3;
        };
        assert_eq!(cause(connecting), Cause::Connecting);
    }

    #[test]
    fn one_long_file_limits() {
        let with_one_long = |concurrency| {
            let mut run = complete_run(concurrency, 20, SECOND);
            run.fetches[19].phases.transfer += 10 * SECOND;
            run.wall += 10 * SECOND;
            run
        };
        let (sequential, concurrent) = (with_one_long(1), with_one_long(10));
        let limit = Limit::of(&[&sequential], &[&concurrent], &[]).expect("both sides have a run");
        assert_eq!(limit.cause, Cause::LongestFile);
        assert_eq!(
            limit.sentence,
            "The longest file: it took 11.0 s of the 12.0 s that a run lasts."
        );
    }

    #[test]
    fn a_single_url_and_a_tiny_workload_come_before_everything_else() {
        for (urls, each, expected) in
            [(1, SECOND, Cause::OneUrl), (20, Duration::from_millis(2), Cause::TooSmall)]
        {
            let (sequential, concurrent) =
                (complete_run(1, urls, each), complete_run(10, urls, each));
            let limit =
                Limit::of(&[&sequential], &[&concurrent], &[]).expect("both sides have a run");
            assert_eq!(limit.cause, expected);
        }
        assert_eq!(Limit::of(&[], &[], &[]), None);
    }
}
