//! The bounds of the schedule: limits of connections, the number of files, their lengths and their order.
//!
//! The best schedule of the sequential times on the connections that may be used is the shortest possible
//! run, unless fetches become faster. What would shorten that schedule most directly is the limit.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::time::Duration;

use super::super::super::figures::{Ratio, Seconds, counted};
use super::super::super::scaling::MARGIN;
use super::super::evidence::{Evidence, HigherLevels, HostEvidence};
use super::cause::{Bottleneck, BottleneckKind};
use super::thresholds::DOMINANT;
use super::{phases, processors};

/// The fraction of a run from which its bound is named, if nothing else is found.
const HALF: f64 = 0.5;

/// The fraction of a run from which the opening of a connection is mentioned.
const NOTABLE_OPENING: f64 = 0.2;
/// The same from which it is the limit, rather than what else shortens the schedule.
const MOSTLY_OPENING: f64 = 0.6;

impl Evidence<'_> {
    /// Whether the best schedule without a limit for one host explains the time of a run.
    pub(super) fn is_at_full_speed(&self) -> bool {
        explains(self.shortest_without_limits(self.usable()), self.concurrent.wall)
    }
}

fn explains(schedule: f64, wall: f64) -> bool {
    schedule >= DOMINANT * wall
}

/// Whether a run of this time is notably shorter.
fn is_shorter(time: f64, than: f64) -> bool {
    time < (1.0 - MARGIN) * than
}

/// The bound that explains the time of a run.
pub(super) fn binding(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let wall = evidence.concurrent.wall;
    let shortest = evidence.shortest(evidence.concurrency);
    if let Some(order) = order(evidence, shortest) {
        return Some(order);
    }
    if !explains(shortest, wall) {
        return None;
    }
    Some(of_schedule(evidence, shortest))
}

/// What would shorten the best schedule.
fn of_schedule(evidence: &Evidence<'_>, shortest: f64) -> Bottleneck {
    let mut found = limit(evidence)
        .or_else(|| connections(evidence, shortest))
        .or_else(|| limit_below(evidence, evidence.urls.len()))
        .unwrap_or_else(|| files(evidence));
    if evidence.opening_cost >= NOTABLE_OPENING * evidence.concurrent.wall {
        let cost = Seconds::new(evidence.opening_cost);
        let opening = format!(
            "Each connection had to be opened first, which takes {cost} more; one connection is opened once \
             for all."
        );
        if evidence.opening_cost >= MOSTLY_OPENING * evidence.concurrent.wall {
            return Bottleneck::new(
                BottleneckKind::Connecting,
                format!("{opening} {}", found.sentence),
            );
        }
        let _ = write!(found.sentence, " {opening}");
    }
    found
}

/// A limit of the host or the user, without which the connections would allow a shorter run.
pub(super) fn limit(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    limit_below(evidence, evidence.concurrency)
}

/// A limit of the host or the user, without which this number of connections would allow a shorter run.
fn limit_below(evidence: &Evidence<'_>, connections: usize) -> Option<Bottleneck> {
    let without = evidence.shortest_without_limits(connections);
    if !is_shorter(without, evidence.shortest(connections)) {
        return None;
    }
    let is_bound = |host: &&HostEvidence<'_>| host.most(evidence.max_per_host) < connections;
    let host = evidence.hosts.iter().filter(is_bound).max_by_key(|host| host.total())?;
    let most = host.most(evidence.max_per_host);
    let used = counted(most, "connection", "connections");
    let rest = match evidence.concurrency - evidence.admitted() {
        0 => "and a shorter run would need more".to_owned(),
        idle => format!("and {idle} of the {} requested had to wait", evidence.concurrency),
    };
    let (kind, who) = if host.limit == Some(most) {
        let name = if evidence.hosts.len() > 1 { host.name } else { "The host" };
        (BottleneckKind::HostLimit, format!("{name} accepts {used} at once"))
    } else {
        (BottleneckKind::MaxPerHost, format!("--max-per-host allows {used} to one host"))
    };
    Some(Bottleneck::new(kind, format!("{who}, {rest}.")))
}

/// A limit that costs at least as much as the slowdown of the fetches, or whose fetches unrelated work may
/// have slowed; with that slowdown.
pub(super) fn foremost_limit(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let Bottleneck { kind, sentence } = limit(evidence)?;
    let shortest = evidence.shortest(evidence.concurrency);
    let gain = shortest / evidence.shortest_without_limits(evidence.concurrency);
    let slowdown = evidence.concurrent.wall / shortest;
    let busy = processors::candidate(evidence);
    if gain < slowdown && busy.is_none() {
        return None;
    }
    let slower = phases::grown(evidence)
        .map(|grown| format!("Besides, the fetches became slower. {}", grown.sentence));
    let further = slower.or(busy).unwrap_or_default();
    Some(Bottleneck::new(kind, format!("{sentence} {further}").trim_end()))
}

/// The order of the files: their schedule in the order of the list explains the run, and takes longer than
/// the best one.
fn order(evidence: &Evidence<'_>, shortest: f64) -> Option<Bottleneck> {
    // With several hosts the order depends on their limits too.
    if evidence.hosts.len() > 1 {
        return None;
    }
    let (in_order, last) = in_order(&evidence.times, evidence.admitted());
    let in_order = evidence.opening_cost + in_order;
    if !explains(in_order, evidence.concurrent.wall) || shortest > DOMINANT * in_order {
        return None;
    }
    let sentence = format!(
        "The order of the files: {}, which takes {}, begins late and ends last. With the longest first a \
         run would take about {} rather than {}.",
        evidence.urls[last],
        Seconds::from(evidence.times[last]),
        Seconds::new(shortest),
        Seconds::new(evidence.concurrent.wall)
    );
    Some(Bottleneck::new(BottleneckKind::FileOrder, sentence))
}

/// The time of the schedule that starts each file, in the order of the list, on the first connection that is
/// free; and the index of the file that ends last.
fn in_order(times: &[Duration], connections: usize) -> (f64, usize) {
    let mut free: BinaryHeap<Reverse<Duration>> =
        (0..connections.max(1)).map(|_| Reverse(Duration::ZERO)).collect();
    let mut last = (Duration::ZERO, 0);
    for (index, time) in times.iter().enumerate() {
        let Reverse(start) = free.pop().unwrap_or_default();
        free.push(Reverse(start + *time));
        last = last.max((start + *time, index));
    }
    (last.0.as_secs_f64(), last.1)
}

/// The number of connections, if more would shorten the schedule.
fn connections(evidence: &Evidence<'_>, shortest: f64) -> Option<Bottleneck> {
    let more = next_useful(evidence, shortest)?;
    let active = format!(
        "{} of {} were active on average",
        Ratio::new(evidence.concurrent.achieved),
        evidence.concurrency
    );
    let limited = |sentence: String| {
        let sentence = format!("The number of connections: {active}{sentence}");
        Bottleneck::new(BottleneckKind::Connections, sentence)
    };
    Some(match &evidence.higher {
        HigherLevels::Faster(best) => {
            limited(format!(". With {} the speedup was {}.", best.concurrency, best.ratio))
        }
        HigherLevels::NotFaster { best, highest } if *highest >= more => Bottleneck::new(
            BottleneckKind::Unclear,
            format!(
                "Not the number of connections: {active}, but {} were not faster.",
                best.concurrency
            ),
        ),
        _ if more <= (evidence.concurrency + 1).max(evidence.concurrency * 6 / 5) => {
            limited(". More may be faster.".to_owned())
        }
        _ => {
            let useless = match (evidence.concurrency + 1, more - 1) {
                (one, last) if one == last => one.to_string(),
                (first, last) => format!("{first} to {last}"),
            };
            limited(format!(". {useless} would gain little or nothing, and {more} may be faster."))
        }
    })
}

/// The lowest number of connections, above that of the run, that shortens the schedule.
fn next_useful(evidence: &Evidence<'_>, shortest: f64) -> Option<usize> {
    let is_useful = |connections| is_shorter(evidence.shortest(connections), shortest);
    let (mut useless, mut useful) = (evidence.concurrency, evidence.urls.len());
    if useful <= useless || !is_useful(useful) {
        return None;
    }
    while useful - useless > 1 {
        let middle = useless + (useful - useless) / 2;
        if is_useful(middle) { useful = middle } else { useless = middle }
    }
    Some(useful)
}

/// The number of the files, or the longest of them: no number of connections shortens the schedule.
fn files(evidence: &Evidence<'_>) -> Bottleneck {
    let files = evidence.times.iter().copied().zip(evidence.urls.iter().copied());
    let (longest, url) = files.max().unwrap_or_default();
    let count = evidence.urls.len();
    if evidence.evenness >= DOMINANT {
        let sentence = format!(
            "The number of files: each of the {count} had a connection of its own, so that more connections \
             have nothing to do."
        );
        return Bottleneck::new(BottleneckKind::FileCount, sentence);
    }
    let sentence = format!(
        "The longest file: {url} takes {} with one connection, and a run cannot be much shorter. With {} it \
         took {}.",
        Seconds::from(longest),
        evidence.concurrency,
        Seconds::new(evidence.concurrent.wall)
    );
    Bottleneck::new(BottleneckKind::LongestFile, sentence)
}

/// No rule applies: the bound is named if it explains half of a run.
pub(super) fn nothing(evidence: &Evidence<'_>) -> Bottleneck {
    let wall = evidence.concurrent.wall;
    let shortest = evidence.shortest(evidence.concurrency);
    let part = format!("{} of the {} of a run", Seconds::new(shortest), Seconds::new(wall));
    if shortest >= HALF * wall {
        let Bottleneck { kind, sentence } = of_schedule(evidence, shortest);
        let rest = format!("The best schedule takes {part}; the rest has no single cause.");
        return Bottleneck::new(kind, format!("{sentence} {rest}"));
    }
    let sentence = format!(
        "Nothing dominates: {} of {} connections were active on average. The best schedule of the sequential \
         times takes {part}.",
        Ratio::new(evidence.concurrent.achieved),
        evidence.admitted()
    );
    Bottleneck::new(BottleneckKind::Unclear, sentence)
}
