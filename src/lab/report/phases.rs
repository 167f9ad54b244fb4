//! How the phases of a fetch are drawn, and said in words.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::figures::Seconds;
use crate::client::Phases;
use crate::lab::measurement::FetchRecord;

/// How a phase is drawn: the CSS class of its colour, its name, and its time.
pub(super) struct DrawnPhase {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) time: fn(&Phases) -> Duration,
}

/// The phases in the order they are drawn.
pub(super) const PHASES: [DrawnPhase; 7] = [
    DrawnPhase { class: "waiting", name: "waiting", time: |phases| phases.waiting },
    DrawnPhase { class: "dns", name: "name look-up", time: |phases| phases.dns },
    DrawnPhase { class: "connect", name: "connect", time: |phases| phases.connect },
    DrawnPhase { class: "tls", name: "TLS", time: |phases| phases.tls },
    DrawnPhase { class: "first-byte", name: "first byte", time: |phases| phases.first_byte },
    DrawnPhase { class: "transfer", name: "transfer", time: |phases| phases.transfer },
    DrawnPhase { class: "write", name: "write", time: |phases| phases.write },
];

/// A phase of a fetch: its index in [`PHASES`], its start and its end from the start of the run.
pub(super) struct Bar {
    pub(super) phase: usize,
    pub(super) from: Duration,
    pub(super) until: Duration,
}

/// The phases that took time, one after another.
pub(super) fn bars(fetch: &FetchRecord) -> Vec<Bar> {
    let mut from = fetch.start;
    let mut bars = Vec::new();
    for (phase, drawn) in PHASES.iter().enumerate() {
        let until = from + (drawn.time)(&fetch.phases);
        if from < until {
            bars.push(Bar { phase, from, until });
        }
        from = until;
    }
    bars
}

/// The phases that took at least a microsecond, with their times: `connect 20.1 ms · first byte 24.0 ms`.
pub(super) fn breakdown(phases: &Phases) -> String {
    let mut text = String::new();
    for drawn in PHASES {
        let took = (drawn.time)(phases);
        if took >= Duration::from_micros(1) {
            let separator = if text.is_empty() { "" } else { " · " };
            let _ = write!(text, "{separator}{} {}", drawn.name, Seconds::from(took));
        }
    }
    text
}
