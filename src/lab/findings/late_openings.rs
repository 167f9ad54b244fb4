//! Connections that were opened late, as after a packet that was lost in the handshake.
//!
//! A SYN without an answer is repeated after one second (RFC 6298 §2: the initial retransmission timeout),
//! and so is the server's SYN with ACK if the client's ACK is lost. A server whose queue of connections is
//! full drops both kinds. The repetitions follow after 1, 3, 7 … seconds, on Linux since 6.5 after 1, 2, 3
//! and 4 first (`tcp_syn_linear_timeouts`): late openings therefore cluster just after whole seconds.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::super::measurement::{FetchRecord, RunRecord};
use super::super::statistics::as_f64;
use super::runs::median;

/// The seconds from which an opening is late, somewhat less than the timeout.
const LATE: f64 = 0.95;
/// How far behind a whole second an opening ends after a repetition: the round trips, and the delays of a
/// busy machine. (At 50 connections on two busy processors they took up to 0.05 s.)
const BEHIND_SECOND: RangeInclusive<f64> = -0.05..=0.25;
/// The fraction of the openings of at least half a second that must be within the clusters: if they are
/// spread evenly, 0.3 are.
const CLUSTERED: f64 = 0.8;

/// The shortest time after which a request is repeated that the server's system dropped with the ACK before
/// it: Linux's minimum (`TCP_RTO_MIN`), which then doubles.
const LATE_REQUEST: f64 = 0.19;

/// The late openings in the concurrent runs, if there are none in the sequential runs: medians over the runs.
#[derive(Debug)]
pub(super) struct LateOpenings {
    /// Connections that were opened late.
    pub(super) connects: f64,
    /// First responses of connections that came late, just after a whole second.
    pub(super) first_bytes: f64,
    /// All connections that were opened.
    pub(super) opened: f64,
    /// The seconds that the lane with the most of them lost.
    pub(super) lost: f64,
}

impl LateOpenings {
    /// `None` if a side has no runs.
    pub(super) fn new(baseline: &[&RunRecord], others: &[&RunRecord]) -> Option<Self> {
        // From when a connection, and a first response, counts as late.
        let late_connect = late_from(baseline, others, connect);
        let late_response = late_from(baseline, others, first_byte);
        // Where connections were lost, lost ACKs explain late responses too.
        let is_quick = longest(baseline, first_byte) < LATE_REQUEST / 2.0;
        let late_request =
            if late_connect.is_finite() && is_quick { LATE_REQUEST } else { late_response };
        let late = |time: f64, from: f64| if time >= from { time } else { 0.0 };
        let lost = |run: &RunRecord| {
            let mut lanes = HashMap::new();
            for fetch in &run.fetches {
                *lanes.entry(fetch.lane).or_insert(0.0) +=
                    late(connect(fetch), late_connect) + late(first_byte(fetch), late_request);
            }
            lanes.into_values().fold(0.0, f64::max)
        };
        let count = |run: &RunRecord, phase: fn(&FetchRecord) -> f64, from: f64| {
            as_f64(run.fetches.iter().filter(|fetch| phase(fetch) >= from).count())
        };
        Some(Self {
            connects: median(others, |run| count(run, connect, late_connect))?,
            first_bytes: median(others, |run| count(run, first_byte, late_response))?,
            opened: median(others, |run| count(run, connect, f64::MIN_POSITIVE))?,
            lost: median(others, lost)?,
        })
    }
}

/// The pairs of runs, from 1, in whose concurrent run a connection opened late.
pub(super) fn late_pairs(baseline: &[&RunRecord], others: &[&RunRecord]) -> Vec<usize> {
    let from = late_from(baseline, others, connect);
    let is_late = |run: &RunRecord| run.fetches.iter().any(|fetch| connect(fetch) >= from);
    (1..).zip(others).filter(|(_, run)| is_late(run)).map(|(pair, _)| pair).collect()
}

/// The seconds from which a phase is late because of a repetition; infinite if none is.
fn late_from(
    baseline: &[&RunRecord],
    others: &[&RunRecord],
    phase: fn(&FetchRecord) -> f64,
) -> f64 {
    let is_news = longest(baseline, phase) < LATE / 2.0 && is_clustered(others, phase);
    if is_news { LATE } else { f64::INFINITY }
}

fn longest(runs: &[&RunRecord], phase: fn(&FetchRecord) -> f64) -> f64 {
    runs.iter().flat_map(|run| &run.fetches).map(phase).fold(0.0, f64::max)
}

/// Whether openings of at least half a second are mostly just behind whole seconds.
fn is_clustered(runs: &[&RunRecord], phase: fn(&FetchRecord) -> f64) -> bool {
    let times = runs.iter().flat_map(|run| &run.fetches).map(phase);
    let slow: Vec<f64> = times.filter(|time| *time >= LATE / 2.0).collect();
    let behind = |time: &&f64| **time >= LATE && BEHIND_SECOND.contains(&(**time - whole(**time)));
    let clustered = slow.iter().filter(behind).count();
    clustered > 0 && as_f64(clustered) >= CLUSTERED * as_f64(slow.len())
}

/// The last whole second before an opening ended.
fn whole(time: f64) -> f64 {
    (time - BEHIND_SECOND.start()).floor()
}

fn connect(fetch: &FetchRecord) -> f64 {
    fetch.phases.connect.as_secs_f64()
}

/// The first byte of the first response on a connection; 0 on a kept one.
fn first_byte(fetch: &FetchRecord) -> f64 {
    if fetch.phases.connect.is_zero() { 0.0 } else { fetch.phases.first_byte.as_secs_f64() }
}
