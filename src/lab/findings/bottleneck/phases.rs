//! The phases of the fetches: which of them grew, and the time outside of them.

use std::fmt::Write as _;

use super::super::super::figures::{Rate, Ratio, Seconds};
use super::super::evidence::{Evidence, SideEvidence};
use super::cause::{Bottleneck, BottleneckKind};
use super::processors;
use super::thresholds::{DOMINANT, SLOWDOWN};

/// The fraction of the phase that grew most, from which the second is named too.
const NOTABLE_SECOND: f64 = 0.5;
/// The fraction of a run after which the last connection came into use, from which the opening counts.
const LATE_START: f64 = 0.2;

/// How many times as long as the longest sequential fetch one that was delayed takes.
const DELAYED: f64 = 2.0;

/// Waiting for the host or for retries.
pub(super) fn waiting(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let many = &evidence.concurrent;
    (many.waiting >= DOMINANT * many.wall).then(|| {
        let sentence = format!(
            "Waiting for the host or for a retry took {} in a run of {}, over all connections.",
            Seconds::new(many.waiting),
            Seconds::new(many.wall)
        );
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
    let mut found = of_phase(evidence, first);
    if growth(&second) >= NOTABLE_SECOND * growth(&first) {
        let (name, times) = (second.name, times(evidence, second));
        let _ = write!(found.sentence, " The times for {name} grew too, to {times} times as long.");
    }
    if let Some(processors) = processors::candidate(evidence) {
        let _ = write!(found.sentence, " Or the processors delayed it. {processors}");
    }
    Some(found)
}

/// How many times as long as sequentially a phase took.
fn times(evidence: &Evidence<'_>, phase: Phase) -> Ratio {
    Ratio::new((phase.time)(&evidence.concurrent) / (phase.time)(&evidence.sequential).max(1e-9))
}

/// A phase as the bottleneck.
fn of_phase(evidence: &Evidence<'_>, phase: Phase) -> Bottleneck {
    let many = &evidence.concurrent;
    let times = times(evidence, phase);
    let share = Ratio::new(100.0 * (phase.time)(many) / many.busy);
    let sentence = match phase.kind {
        BottleneckKind::Connecting => {
            let through = if evidence.is_proxied { ", through the proxy," } else { "" };
            format!("Opening connections{through} took {share} % of the fetch time.")
        }
        BottleneckKind::Server if evidence.is_proxied => {
            let sentence = format!(
                "The proxy or the server: first bytes took {times} times as long as sequentially. Both are in \
                 the way of each request, and the times do not tell them apart."
            );
            return Bottleneck::new(BottleneckKind::ProxyOrServer, sentence);
        }
        BottleneckKind::Server => {
            format!("The server: its first byte took {times} times as long as sequentially.")
        }
        BottleneckKind::Disk => format!(
            "The disk of this machine: writing the files took {share} % of the fetch time, and {times} times \
             as long as sequentially."
        ),
        _ => format!(
            "The link, or the server's output: transfers took {times} times as long as sequentially, at {} in \
             total.",
            Rate::new(many.rate)
        ),
    };
    Bottleneck::new(phase.kind, sentence)
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
