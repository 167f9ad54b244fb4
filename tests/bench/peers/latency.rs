//! Latency at a constant rate over 32 kept connections.
//!
//! Each request has a fixed time at which it is due, and its latency counts from then, also if its connection
//! still waits for an earlier response: a slow response delays no measurement (no coordinated omission). The
//! rate is 60 % of the greatest load of the slower server, and the same for all.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::thread::set_current_timer_slack;

use super::connection::{Connection, request};
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

struct Generator {
    lanes: Vec<Lane>,
    epoll: OwnedFd,
    /// What all of them send.
    request: Vec<u8>,
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
    let mut generator = Generator::open(to)?;
    let interval = Duration::from_secs_f64(1.0 / rate);
    let mut latencies = Vec::new();
    let begun = Instant::now();
    let (mut next, mut at) = (begun, 0);
    loop {
        let now = Instant::now();
        while next <= now && next - begun < length {
            generator.plan(at, next)?;
            next += interval;
            at = (at + 1) % CONNECTIONS;
        }
        let is_over = next - begun >= length;
        if is_over && generator.lanes.iter().all(|lane| lane.due.is_empty()) {
            return Ok(latencies);
        }
        let wait = if is_over { PATIENCE } else { next.saturating_duration_since(Instant::now()) };
        let count =
            generator.receive(wait, |latency| latencies.push(latency.as_secs_f64() * 1e6))?;
        ensure!(!is_over || count > 0, "no response within {PATIENCE:?}");
    }
}

impl Generator {
    fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut lanes = Vec::new();
        for index in 0..CONNECTIONS {
            let connection = Connection::open(Ipv4Addr::LOCALHOST, to)?;
            epoll::add(&epoll, &connection, EventData::new_u64(index as u64), EventFlags::IN)?;
            lanes.push(Lane { connection, due: VecDeque::new() });
        }
        Ok(Self { lanes, epoll, request: request(FILE, "") })
    }

    /// Adds a request to a lane, and sends it if no other is unanswered.
    fn plan(&mut self, index: usize, due: Instant) -> io::Result<()> {
        let lane = &mut self.lanes[index];
        lane.due.push_back(due);
        if lane.due.len() == 1 {
            lane.connection.send(&self.request)?;
        }
        Ok(())
    }

    /// Waits at most this long for responses, and reads what has come. After a whole response the next
    /// request of its lane is sent. Returns the number of lanes that were read.
    fn receive(&mut self, wait: Duration, mut note: impl FnMut(Duration)) -> anyhow::Result<usize> {
        let mut events =
            [Event { flags: EventFlags::IN, data: EventData::new_u64(0) }; CONNECTIONS];
        let count = epoll::wait(&self.epoll, &mut events, Some(&wait.try_into()?))?;
        for event in &events[..count] {
            let lane = &mut self.lanes[usize::try_from(event.data.u64())?];
            let Some(status) = lane.connection.receive()? else { continue };
            ensure!(status == 200, "status {status}");
            let due = lane.due.pop_front().context("a response without a request")?;
            note(due.elapsed());
            if !lane.due.is_empty() {
                lane.connection.send(&self.request)?;
            }
        }
        Ok(count)
    }
}
