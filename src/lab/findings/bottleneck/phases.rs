//! The phases of the fetches: which of them grew, and the time outside of them.

use std::fmt::Write as _;

use super::super::super::figures::{Rate, Ratio, Seconds};
use super::super::super::statistics::as_f64;
use super::super::conditions::BodyHandling;
use super::super::evidence::{Evidence, HostEvidence, SideEvidence};
use super::cause::{Bottleneck, BottleneckKind};
use super::processors;
use super::thresholds::{DOMINANT, SLOWDOWN};

/// The fraction of the phase that grew most, from which the second is named too.
const NOTABLE_SECOND: f64 = 0.5;
/// The fraction of a run after which the last connection came into use, from which the opening counts.
const LATE_START: f64 = 0.2;

/// How many times as long as with one connection each opening takes, if others must be served before.
const PER_CONNECTION: f64 = 4.0;

/// How many times as long as the longest sequential fetch one that was delayed takes.
const DELAYED: f64 = 2.0;

/// Waiting for the host or for retries.
pub(super) fn waiting(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let many = &evidence.concurrent;
    (many.waiting >= DOMINANT * many.wall).then(|| {
        let (waiting, wall) = (Seconds::new(many.waiting), Seconds::new(many.wall));
        let sentence = if many.rejections >= 1.0 {
            format!(
                "Rejected requests: a host rejected {} in a run of {wall}, and the connections together \
                 waited {waiting} before they tried again. It was overloaded, or it limits the connections \
                 or the requests in a time: fewer connections may be faster.",
                many.rejections.round()
            )
        } else {
            format!(
                "Waiting for the host or for a retry took {waiting} in a run of {wall}, over all \
                 connections."
            )
        };
        Bottleneck::new(BottleneckKind::Waiting, sentence)
    })
}

/// A phase of the fetches of a run.
#[derive(Clone, Copy)]
struct Phase {
    kind: BottleneckKind,
    name: &'static str,
    time: fn(&SideEvidence) -> f64,
}

const PHASES: [Phase; 4] = [
    Phase { kind: BottleneckKind::Connecting, name: "opening", time: |side| side.connecting },
    Phase { kind: BottleneckKind::Server, name: "first bytes", time: |side| side.first_byte },
    Phase { kind: BottleneckKind::Link, name: "transfers", time: |side| side.transfer },
    Phase { kind: BottleneckKind::Disk, name: "writing", time: |side| side.write },
];

/// The phase that grew most, if the fetches became slower than sequentially.
pub(super) fn grown(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let (one, many) = (&evidence.sequential, &evidence.concurrent);
    if many.busy < SLOWDOWN * one.busy {
        return None;
    }
    let growth = |phase: &Phase| (phase.time)(many) - (phase.time)(one);
    let mut phases = PHASES;
    phases.sort_by(|left, right| growth(right).total_cmp(&growth(left)));
    let [first, second, ..] = phases;
    let slowed = Slowed::of(evidence);
    let mut found = slowed.by_phase(evidence, first);
    if growth(&second) >= NOTABLE_SECOND * growth(&first) {
        let (name, times) = (second.name, slowed.times(second));
        let _ = write!(found.sentence, " The times for {name} grew too, to {times} times as long.");
    }
    if let Some(processors) = processors::candidate(evidence) {
        let _ = write!(found.sentence, " Or the processors delayed it. {processors}");
    }
    Some(found)
}

/// The fetches that became slower: those of one host, or all.
struct Slowed<'a> {
    /// Of several hosts, the one with nearly all of the growth.
    host: Option<&'a str>,
    one: &'a SideEvidence,
    many: &'a SideEvidence,
}

impl<'a> Slowed<'a> {
    fn of(evidence: &'a Evidence<'_>) -> Self {
        let of_host = |host: &&HostEvidence<'_>| {
            let growth = evidence.concurrent.busy - evidence.sequential.busy;
            host.concurrent.busy - host.sequential.busy >= DOMINANT * growth
        };
        match evidence.hosts.iter().find(of_host).filter(|_| evidence.hosts.len() > 1) {
            Some(host) => {
                Self { host: Some(host.name), one: &host.sequential, many: &host.concurrent }
            }
            None => Self { host: None, one: &evidence.sequential, many: &evidence.concurrent },
        }
    }

    /// How many times as long as sequentially a phase took.
    fn times(&self, phase: Phase) -> Ratio {
        Ratio::new((phase.time)(self.many) / (phase.time)(self.one).max(1e-9))
    }

    /// A phase as the bottleneck.
    fn by_phase(&self, evidence: &Evidence<'_>, phase: Phase) -> Bottleneck {
        let many = self.many;
        let times = self.times(phase);
        let share = Ratio::new(100.0 * (phase.time)(many) / many.busy);
        let host = self.host.map_or_else(String::new, |host| format!(" at {host}"));
        // The work of a run, as times with one connection, that was done at a time.
        let together = Ratio::new(self.one.busy / many.wall);
        let slower = format!(
            "with {} connections a first byte took {times} times as long as with one, as if only {together} \
             requests were served at a time",
            evidence.concurrency
        );
        let sentence = match phase.kind {
            BottleneckKind::Connecting => {
                let through = if evidence.is_proxied { ", through the proxy," } else { "" };
                let mut sentence = format!(
                    "Opening connections{through} took {share} % of the fetch time, the delay of the first \
                     response on each included."
                );
                if times.value() > PER_CONNECTION * as_f64(evidence.concurrency) {
                    sentence += " New connections wait: a server that serves one after the other takes the \
                                 next only when an earlier one is closed.";
                }
                sentence
            }
            BottleneckKind::Server if evidence.is_proxied => {
                let sentence = format!(
                    "The proxy or the server{host}: {slower}. Both are in the way of each request, and the \
                     times do not tell them apart."
                );
                return Bottleneck::new(BottleneckKind::ProxyOrServer, sentence);
            }
            BottleneckKind::Server => format!("The server{host}: {slower}."),
            BottleneckKind::Disk if evidence.bodies == BodyHandling::Discarded => {
                let sentence = format!(
                    "The processors of this machine: decoding and hashing the content took {share} % of the \
                     fetch time, and {times} times as long as sequentially."
                );
                return Bottleneck::new(BottleneckKind::Processor, sentence);
            }
            BottleneckKind::Disk => format!(
                "The disk of this machine: hashing the content and writing the files took {share} % of the \
                 fetch time, and {times} times as long as sequentially."
            ),
            _ => format!(
                "The link, or the server's output{host}: transfers took {times} times as long as \
                 sequentially, at {} in total.",
                Rate::new(many.rate)
            ),
        };
        Bottleneck::new(phase.kind, sentence)
    }
}

/// The connections came into use one after another.
pub(super) fn opening(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let many = &evidence.concurrent;
    (many.last_opening >= LATE_START * many.wall).then(|| {
        let sentence = format!(
            "Opening: the last connection came into use {} after the start of a run of {}. Connections are opened \
             gradually, because a host may not accept all of them.",
            Seconds::new(many.last_opening),
            Seconds::new(many.wall)
        );
        Bottleneck::new(BottleneckKind::Opening, sentence)
    })
}

/// One fetch took most of a run, though not sequentially, and the others took about as long as before.
pub(super) fn one_slow_fetch(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let (one, many) = (&evidence.sequential, &evidence.concurrent);
    let is_long = many.longest >= DOMINANT * many.wall && many.longest >= DELAYED * one.longest;
    let is_alone = many.busy - many.longest < SLOWDOWN * one.busy;
    (is_long && is_alone).then(|| {
        let sentence = format!(
            "One fetch took {} of the {} of a run, and sequentially none took longer than {}: the server, \
             the network or this machine delayed it.",
            Seconds::new(many.longest),
            Seconds::new(many.wall),
            Seconds::new(one.longest)
        );
        Bottleneck::new(BottleneckKind::Unclear, sentence)
    })
}
