//! What limits the speedup, with a sentence that explains it.
//!
//! The rules are tried in an order in which each excludes the later ones; the first that applies decides.
//!
//! | rule | file |
//! |---|---|
//! | one URL; connections that opened late; requests rejected for their rate | `refusals` |
//! | the best schedule of the sequential times explains the run: its bound is the limit | `bounds` |
//! | too small to gain | here |
//! | the processors | `processors` |
//! | a limit that costs more than the slowdown of the fetches | `bounds` |
//! | waiting; one slow fetch; the phase of the fetches that grew | `phases` |
//! | a bound, although it does not explain the run; opening; nothing | `bounds`, `phases` |
//!
//! Thresholds are round numbers: the sentence names what dominates, and the figures show how much. Where the
//! evidence does not decide, the sentence names the candidates. `evidence` computes the figures.

mod bounds;
pub(super) mod cause;
mod phases;
mod processors;
mod refusals;
mod thresholds;

use super::super::figures::Seconds;
use super::evidence::{Compared, Evidence};
use cause::{Bottleneck, BottleneckKind};

/// A sequential run shorter than this is not worth speeding up.
const NEGLIGIBLE_SECONDS: f64 = 0.05;

/// The rules, in their order.
const RULES: [fn(&Evidence<'_>) -> Option<Bottleneck>; 13] = [
    refusals::one_url,
    refusals::listen_queue,
    refusals::request_rate,
    bounds::binding,
    too_small,
    processors::working,
    bounds::foremost_limit,
    phases::waiting,
    phases::one_slow_fetch,
    phases::grown,
    bounds::limit,
    phases::opening,
    processors::busy,
];

/// The bottleneck of the concurrent runs, compared with the sequential ones. `None` if a side has no runs.
pub(super) fn find(compared: &Compared<'_>) -> Option<Bottleneck> {
    let evidence = Evidence::new(compared)?;
    let found = RULES.iter().find_map(|rule| rule(&evidence));
    Some(found.unwrap_or_else(|| bounds::nothing(&evidence)))
}

/// The workload takes hardly any time, with one connection or with more.
fn too_small(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let (one, many) = (evidence.sequential.wall, evidence.concurrent.wall);
    (one < NEGLIGIBLE_SECONDS && many < 2.0 * NEGLIGIBLE_SECONDS).then(|| {
        let sentence = format!(
            "The files are too small: one connection fetches all of them in {}.",
            Seconds::new(one)
        );
        Bottleneck::new(BottleneckKind::TooSmall, sentence)
    })
}

#[cfg(test)]
mod tests;
