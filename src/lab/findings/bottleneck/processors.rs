//! The processors of this machine.
//!
//! Busy processors limit only if the fetches became slower than sequentially, and if they were busy with work
//! for the fetches: other programs may use them too. Where that is not known they are a candidate.

use std::ops::RangeInclusive;

use super::super::super::figures::Ratio;
use super::super::super::statistics::as_f64;
use super::super::evidence::Evidence;
use super::super::processor_use::ProcessorUse;
use super::cause::{Bottleneck, BottleneckKind};
use super::thresholds::SLOWDOWN;

/// The utilisation from which processors count as fully used.
const FULL_UTILISATION: f64 = 0.8;
/// The fraction of the busy time from which it counts as most of it.
const MOST: f64 = 0.5;
/// The fraction of the busy time by this program from which the rest is taken for that of a server on this
/// machine, which has about as much to do, if unrelated programs cannot be told apart.
const NOTABLE_OWN: f64 = 0.25;
/// The fraction of the busy time from which others that serve the fetches are told from unrelated programs. If
/// these take all that is left, in runs of any length, the others seem to do nothing.
const TOLD_APART: f64 = 0.01;
/// The processors that a program with one busy thread uses, as measured by ticks of the kernel.
const ONE_THREAD: RangeInclusive<f64> = 0.85..=1.1;

/// Processors that worked for the fetches, which became slower.
pub(super) fn working(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let is_slower = evidence.concurrent.busy >= SLOWDOWN * evidence.sequential.busy;
    let known = evidence.processors.filter(|_| is_slower)?;
    let own = known.own.unwrap_or(0.0);
    let sentence = if known.busy >= FULL_UTILISATION {
        let is_for_the_fetches = match known.unrelated {
            Some(unrelated) => known.busy - unrelated >= MOST * known.busy,
            None => own >= NOTABLE_OWN * known.busy,
        };
        all_busy(&known).filter(|_| is_for_the_fetches)
    } else {
        let own = own * known.processors / as_f64(evidence.own_processors.max(1));
        let of_own = (own >= FULL_UTILISATION).then(|| {
            format!("This program used {} % of the processors that it may use.", percent(own))
        });
        of_own.or_else(|| one_busy(&known).filter(|_| known.unrelated.is_some()))
    };
    Some(Bottleneck::new(BottleneckKind::Processor, sentence?))
}

/// What is known of busy processors, as a candidate beside another cause.
pub(super) fn candidate(evidence: &Evidence<'_>) -> Option<String> {
    let known = evidence.processors?;
    all_busy(&known).or_else(|| one_busy(&known))
}

/// Fully used processors, where no other cause is known.
pub(super) fn busy(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let known = evidence.processors?;
    let is_unrelated = known.unrelated.is_some_and(|unrelated| unrelated >= MOST * known.busy);
    let kind = if is_unrelated { BottleneckKind::OtherLoad } else { BottleneckKind::Processor };
    Some(Bottleneck::new(kind, all_busy(&known)?))
}

/// All processors are busy, and for whom.
fn all_busy(known: &ProcessorUse) -> Option<String> {
    if known.busy < FULL_UTILISATION {
        return None;
    }
    let share = |part: f64| percent(part / known.busy);
    let own = match known.own {
        Some(own) => format!("{} % of that by this program", share(own)),
        None => "in part by this program".to_owned(),
    };
    let others = match known.unrelated {
        Some(unrelated) if known.others() >= TOLD_APART * known.busy => format!(
            "{} % by others that serve the fetches, such as a server on this machine, and {} % by \
             unrelated ones",
            share(known.others()),
            share(unrelated)
        ),
        Some(_) => {
            "the rest by unrelated programs or a server on this machine, which cannot be told apart"
                .to_owned()
        }
        None => {
            "the rest by the server, if it runs on this machine, or by other programs".to_owned()
        }
    };
    let busy = percent(known.busy);
    Some(format!("The processors of this machine were {busy} % busy: {own}, {others}."))
}

/// Others use one of several processors.
fn one_busy(known: &ProcessorUse) -> Option<String> {
    let others = known.others() * known.processors;
    (known.processors > 1.5 && ONE_THREAD.contains(&others)).then(|| {
        format!(
            "Other programs than this one used {} of the {} processors of this machine, as a server on this \
             machine does that works in one thread.",
            Ratio::new(others),
            known.processors.round()
        )
    })
}

fn percent(fraction: f64) -> Ratio {
    Ratio::new(100.0 * fraction)
}
