//! Latency at a constant rate over 32 kept connections.
//!
//! Each request has a fixed time at which it is due, and its latency counts from then, also if its connection
//! still waits for an earlier response: a slow response delays no measurement (no coordinated omission). The
//! rate is 60 % of the greatest load of the slower server, and the same for all.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::set_current_timer_slack;

use super::connection::Connection;
use super::rounds::interleaved;
use super::row::{Figure, Measured, Setting};
use super::servers::{self, Server, nginx, ours};
use super::statistics::percentile;
use super::wrk;

pub(crate) const P99: &str = "p99 µs";

const CONNECTIONS: usize = 32;
const FILE: &str = "14b.txt";
/// Of the greatest load.
const SHARE: f64 = 0.6;

/// Longer than any response takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection with the times at which its requests were due, the unanswered one first.
struct Lane {
    connection: Connection,
    due: VecDeque<Instant>,
}

pub(crate) fn measure(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    let root = setting.site.root();
    let mut servers = servers::installed([ours::start(root), nginx::start(root)])?;
    let greatest = servers
        .iter()
        .map(|server| greatest_load(server, setting.seconds))
        .collect::<anyhow::Result<Vec<f64>>>()?;
    let rate = SHARE * greatest.into_iter().fold(f64::INFINITY, f64::min);
    // Without this the kernel may end each wait 50 µs late.
    set_current_timer_slack(NonZeroU64::new(1))?;
    let length = 2 * Duration::from_secs(setting.seconds.into());
    let run = |server: &mut Server| {
        let mut latencies = at_rate(server.address(), rate, length)?;
        latencies.sort_by(f64::total_cmp);
        Ok([50, 90, 99].map(|percent| percentile(&latencies, percent)).to_vec())
    };
    let name = |server: &Server| server.name;
    let contenders = interleaved(&mut servers, setting.rounds, &setting.interrupted, name, run)?;
    let figures = &[
        Figure { name: "p50 µs", digits: 0 },
        Figure { name: "p90 µs", digits: 0 },
        Figure { name: P99, digits: 0 },
    ];
    let notes = vec![format!("{rate:.0} requests/s to each")];
    Ok(Measured { figures, contenders, notes })
}

/// The best of three runs of `wrk`.
fn greatest_load(server: &Server, seconds: u32) -> anyhow::Result<f64> {
    let url = server.url(FILE);
    let connections = CONNECTIONS.try_into()?;
    let load = wrk::Load { url: &url, connections, seconds, closes: false, script: None };
    let mut greatest = 0.0_f64;
    for _ in 0..3 {
        greatest = greatest.max(wrk::run(&load)?.requests_per_second);
    }
    Ok(greatest)
}

/// The latency of each request, in microseconds.
fn at_rate(to: SocketAddr, rate: f64, length: Duration) -> anyhow::Result<Vec<f64>> {
    let mut lanes = (0..CONNECTIONS)
        .map(|_| {
            let connection = Connection::open(Ipv4Addr::LOCALHOST, to)?;
            Ok(Lane { connection, due: VecDeque::new() })
        })
        .collect::<anyhow::Result<Vec<Lane>>>()?;
    let interval = Duration::from_secs_f64(1.0 / rate);
    let mut latencies = Vec::new();
    let begun = Instant::now();
    let (mut next, mut at) = (begun, 0);
    loop {
        let now = Instant::now();
        while next <= now && next - begun < length {
            lanes[at].plan(next)?;
            next += interval;
            at = (at + 1) % CONNECTIONS;
        }
        let is_over = next - begun >= length;
        if is_over && lanes.iter().all(|lane| lane.due.is_empty()) {
            return Ok(latencies);
        }
        let wait = if is_over { PATIENCE } else { next.saturating_duration_since(Instant::now()) };
        let ready = readable(&lanes, wait)?;
        ensure!(!is_over || !ready.is_empty(), "no response within {PATIENCE:?}");
        for index in ready {
            if let Some(latency) = lanes[index].receive()? {
                latencies.push(latency.as_secs_f64() * 1e6);
            }
        }
    }
}

impl Lane {
    /// Adds a request, and sends it if no other is unanswered.
    fn plan(&mut self, due: Instant) -> anyhow::Result<()> {
        self.due.push_back(due);
        if self.due.len() == 1 {
            self.connection.ask(FILE, "")?;
        }
        Ok(())
    }

    /// Reads what is there; after a whole response sends the next request, and returns the latency.
    fn receive(&mut self) -> anyhow::Result<Option<Duration>> {
        let Some(status) = self.connection.receive()? else { return Ok(None) };
        ensure!(status == 200, "status {status}");
        let latency = self.due.pop_front().map(|due| due.elapsed());
        if !self.due.is_empty() {
            self.connection.ask(FILE, "")?;
        }
        Ok(latency)
    }
}

/// The lanes from which something can be read; waits for one of them at most this long.
fn readable(lanes: &[Lane], wait: Duration) -> anyhow::Result<Vec<usize>> {
    let wait = Timespec::try_from(wait)?;
    let mut descriptors: Vec<PollFd<'_>> =
        lanes.iter().map(|lane| PollFd::new(&lane.connection, PollFlags::IN)).collect();
    poll(&mut descriptors, Some(&wait))?;
    let is_ready = |index: &usize| !descriptors[*index].revents().is_empty();
    Ok((0..lanes.len()).filter(is_ready).collect())
}
