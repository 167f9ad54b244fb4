//! A deterministic network: lanes that connect, wait for a first byte, and share a link.

#![expect(clippy::cast_precision_loss, reason = "made-up sizes and counts are far below 2^53")]

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use http_concurrent::client::{LearntLimit, Phases};
use http_concurrent::lab::experiment::{Clock, Executor};
use http_concurrent::lab::measurement::{Ending, FetchRecord, MachineCpu, RunRecord};

/// The files and the network; times in seconds, rates in bytes per second.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) sizes: Vec<u64>,
    pub(crate) connect: f64,
    pub(crate) tls: f64,
    pub(crate) first_byte: f64,
    pub(crate) lane_rate: f64,
    pub(crate) link_rate: f64,
    /// Connections that the host accepts at a time.
    pub(crate) host_limit: usize,
    /// The relative disturbance of each phase.
    pub(crate) noise: f64,
    pub(crate) failing: Option<Failing>,
}

/// Which URLs fail, by index, and the reason.
pub(crate) type Failing = (fn(usize) -> bool, &'static str);

impl Network {
    /// Files of these sizes, 20 ms away, over a link of 100 Mbit/s of which one connection gets a tenth.
    pub(crate) fn new(sizes: Vec<u64>) -> Self {
        Self {
            sizes,
            connect: 0.020,
            tls: 0.045,
            first_byte: 0.024,
            lane_rate: 1.25e6,
            link_rate: 12.5e6,
            host_limit: usize::MAX,
            noise: 0.08,
            failing: None,
        }
    }
}

/// An executor on a simulated network, with its own clock.
pub(crate) struct Simulation {
    network: Network,
    random: Rng,
    now: Rc<Cell<Duration>>,
}

pub(crate) struct Watch(Rc<Cell<Duration>>);

impl Clock for Watch {
    fn elapsed(&self) -> Duration {
        self.0.get()
    }
}

impl Simulation {
    pub(crate) fn new(network: Network) -> (Self, Watch) {
        let now = Rc::new(Cell::new(Duration::ZERO));
        (Self { network, random: Rng::with_seed(3), now: Rc::clone(&now) }, Watch(now))
    }
}

impl Executor for Simulation {
    fn run(&mut self, concurrency: usize) -> RunRecord {
        let run = Run::new(&self.network, &mut self.random, concurrency).play();
        self.now.set(self.now.get() + run.wall);
        run
    }
}

enum Stage {
    Waiting,
    Connecting { until: f64 },
    Answering { until: f64 },
    Receiving { left: f64, since: f64 },
}

struct Busy {
    record: FetchRecord,
    index: usize,
    stage: Stage,
}

struct Run<'a> {
    network: &'a Network,
    random: &'a mut Rng,
    concurrency: usize,
    now: f64,
    queue: VecDeque<usize>,
    lanes: Vec<Option<Busy>>,
    connected: Vec<bool>,
    permits: usize,
    done: Vec<Option<FetchRecord>>,
}

impl<'a> Run<'a> {
    fn new(network: &'a Network, random: &'a mut Rng, concurrency: usize) -> Self {
        let urls = network.sizes.len();
        let lanes = concurrency.min(urls);
        Self {
            network,
            random,
            concurrency,
            now: 0.0,
            queue: (0..urls).collect(),
            lanes: (0..lanes).map(|_| None).collect(),
            connected: vec![false; lanes],
            permits: network.host_limit,
            done: vec![None; urls],
        }
    }

    fn play(mut self) -> RunRecord {
        loop {
            for lane in 0..self.lanes.len() {
                self.take_up(lane);
            }
            if self.lanes.iter().all(Option::is_none) {
                break;
            }
            self.advance();
        }
        let wall = Duration::from_secs_f64(self.now);
        let fetches = self.done.into_iter().flatten().collect();
        let limit = (self.network.host_limit < self.lanes.len()).then(|| LearntLimit {
            host: "https://files.example".to_owned(),
            connections: self.network.host_limit,
            rejections: 1,
            cost: Duration::ZERO,
            is_advertised: false,
        });
        RunRecord {
            host_limits: limit.into_iter().collect(),
            machine_cpu: Some(MachineCpu { busy: wall / 10, total: wall }),
            ..RunRecord::new(self.concurrency, wall, fetches)
        }
    }

    /// About `mean`, with a small random deviation.
    fn disturbed(&mut self, mean: f64) -> f64 {
        let uniform = 2.0 * self.random.f64() - 1.0;
        mean * (1.0 + self.network.noise * uniform)
    }

    fn take_up(&mut self, lane: usize) {
        if self.lanes[lane].is_none() {
            let Some(index) = self.queue.pop_front() else { return };
            let start = Duration::from_secs_f64(self.now);
            let record = FetchRecord {
                url: url(index).into(),
                bytes: self.network.sizes[index],
                ending: Ending::Complete(200),
                digest: Some(format!("{index:064x}")),
                lane,
                start,
                phases: Phases { queue: start, ..Phases::default() },
                attempts: 1,
                rejections: 0,
            };
            self.lanes[lane] = Some(Busy { record, index, stage: Stage::Waiting });
        }
        let connect = self.disturbed(self.network.connect);
        let tls = self.disturbed(self.network.tls);
        let answer = self.disturbed(self.network.first_byte);
        let now = self.now;
        let Some(busy) = &mut self.lanes[lane] else { return };
        if !matches!(busy.stage, Stage::Waiting) {
            return;
        }
        if self.permits == 0 {
            if busy.record.rejections == 0 {
                busy.record.attempts += 1;
                busy.record.rejections += 1;
            }
            return;
        }
        self.permits -= 1;
        let phases = &mut busy.record.phases;
        phases.waiting = Duration::from_secs_f64(now).saturating_sub(busy.record.start);
        busy.stage = if self.connected[lane] {
            phases.first_byte = Duration::from_secs_f64(answer);
            Stage::Answering { until: now + answer }
        } else {
            phases.connect = Duration::from_secs_f64(connect);
            phases.tls = Duration::from_secs_f64(tls);
            self.connected[lane] = true;
            Stage::Connecting { until: now + connect + tls }
        };
    }

    fn rate(&self) -> f64 {
        let receiving = self.lanes.iter().flatten();
        let receiving =
            receiving.filter(|busy| matches!(busy.stage, Stage::Receiving { .. })).count();
        self.network.lane_rate.min(self.network.link_rate / receiving.max(1) as f64)
    }

    /// Advances to the next moment at which a lane changes its stage.
    fn advance(&mut self) {
        let rate = self.rate();
        let next = self.lanes.iter().flatten().map(|busy| match busy.stage {
            Stage::Waiting => f64::INFINITY,
            Stage::Connecting { until } | Stage::Answering { until } => until,
            Stage::Receiving { left, .. } => self.now + left / rate,
        });
        let next = next.fold(f64::INFINITY, f64::min);
        let passed = next - self.now;
        self.now = next;
        for lane in 0..self.lanes.len() {
            let answer = self.disturbed(self.network.first_byte);
            let Some(busy) = &mut self.lanes[lane] else { continue };
            match busy.stage {
                Stage::Connecting { until } if until <= next => {
                    busy.record.phases.first_byte = Duration::from_secs_f64(answer);
                    busy.stage = Stage::Answering { until: next + answer };
                }
                Stage::Answering { until } if until <= next => {
                    if let Some((_, why)) =
                        self.network.failing.filter(|(fails, _)| fails(busy.index))
                    {
                        busy.record.ending = Ending::Failed(why.to_owned());
                        busy.record.bytes = 0;
                        busy.record.digest = None;
                        self.finish(lane);
                    } else {
                        let left = self.network.sizes[busy.index] as f64;
                        busy.stage = Stage::Receiving { left, since: next };
                    }
                }
                Stage::Receiving { left, since } => {
                    let left = left - rate * passed;
                    if left < 1e-3 {
                        busy.record.phases.transfer = Duration::from_secs_f64(next - since);
                        self.finish(lane);
                    } else {
                        busy.stage = Stage::Receiving { left, since };
                    }
                }
                _ => {}
            }
        }
    }

    fn finish(&mut self, lane: usize) {
        let busy = self.lanes[lane].take().expect("the lane was busy");
        self.permits += 1;
        self.done[busy.index] = Some(busy.record);
    }
}

fn url(index: usize) -> String {
    format!("https://files.example/course/week-{:02}/file{}.bin", index / 10 + 1, index + 1)
}
