//! Figures from which the bottleneck is determined: medians over the runs of each side, in seconds.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::super::ceiling::{HostFetches, schedule};
use super::super::measurement::{FetchRecord, RunRecord};
use super::super::scaling;
use super::super::statistics::{Sample, as_f64};
use super::ceiling::found_limit;
use super::conditions::{BodyHandling, Conditions};
use super::curve::Speedup;
use super::late_openings::LateOpenings;
use super::opening_cost::{OpeningCost, opening};
use super::processor_use::ProcessorUse;
use super::runs::{median, wall_seconds};
use super::side::FileTimes;
use super::workload::origin;
use crate::client::Phases;

/// The runs that are compared, and what else is known about them.
#[derive(Clone, Copy)]
pub(super) struct Compared<'a> {
    pub(super) baseline: &'a [&'a RunRecord],
    pub(super) others: &'a [&'a RunRecord],
    /// In the order of the URLs.
    pub(super) files: &'a [FileTimes],
    /// The speedups at all levels.
    pub(super) curve: &'a [Speedup],
    pub(super) conditions: &'a Conditions,
}

/// What is known about the concurrent side, beside the sequential one. Times are in seconds.
pub(super) struct Evidence<'a> {
    pub(super) concurrency: usize,
    /// The most connections to one host that the user allows.
    pub(super) max_per_host: Option<usize>,
    pub(super) is_proxied: bool,
    pub(super) bodies: BodyHandling,
    /// The processors that this program may use.
    pub(super) own_processors: usize,
    pub(super) urls: Vec<&'a str>,
    /// The sequential time of each file, in the order of the URLs, without the opening cost.
    pub(super) times: Vec<Duration>,
    /// The mean of the sequential times, without opening connections, as a fraction of the longest.
    pub(super) evenness: f64,
    /// What opening a connection costs a fetch, if a sequential run does so seldom; otherwise 0.
    pub(super) opening_cost: f64,
    pub(super) hosts: Vec<HostEvidence<'a>>,
    pub(super) sequential: SideEvidence,
    pub(super) concurrent: SideEvidence,
    pub(super) processors: Option<ProcessorUse>,
    pub(super) late_openings: LateOpenings,
    pub(super) higher: HigherLevels,
}

/// One host and its files.
pub(super) struct HostEvidence<'a> {
    /// Scheme, host and port.
    pub(super) name: &'a str,
    /// The sequential times of its files.
    times: Vec<Duration>,
    /// The connections that it accepts, if a limit was found.
    pub(super) limit: Option<usize>,
    /// The same figures as for a side, of its fetches alone.
    pub(super) sequential: SideEvidence,
    pub(super) concurrent: SideEvidence,
}

/// Medians over the runs of one side; the times of phases are those of all fetches together.
pub(super) struct SideEvidence {
    pub(super) wall: f64,
    pub(super) busy: f64,
    pub(super) waiting: f64,
    pub(super) connecting: f64,
    pub(super) first_byte: f64,
    pub(super) transfer: f64,
    pub(super) write: f64,
    /// The longest fetch of a run.
    pub(super) longest: f64,
    /// The average number of fetches in progress.
    pub(super) achieved: f64,
    /// Bytes per second of wall time.
    pub(super) rate: f64,
    /// Requests that servers rejected in a run (429 or 503).
    pub(super) rejections: f64,
    /// Those that were rejected because there were too many (429).
    pub(super) too_many: f64,
    /// The most fetches in progress at a time, of those that no server rejected.
    pub(super) accepted_together: f64,
    /// When the last connection of a run came into use.
    pub(super) last_opening: f64,
}

/// Whether higher levels of concurrency were faster.
pub(super) enum HigherLevels {
    /// There are none.
    NotRun,
    /// Yes; the fastest of them.
    Faster(Speedup),
    /// No; the fastest of them, and the highest.
    NotFaster { best: Speedup, highest: usize },
}

impl HigherLevels {
    fn new(curve: &[Speedup], concurrency: usize) -> Self {
        let here = curve.iter().find(|point| point.concurrency == concurrency);
        let higher = || curve.iter().filter(|point| point.concurrency > concurrency);
        let best = higher().max_by(|one, other| one.ratio.value().total_cmp(&other.ratio.value()));
        let highest = higher().map(|point| point.concurrency).max();
        match (here, best, highest) {
            (Some(here), Some(best), Some(highest)) => {
                let is_faster = best.ratio.value() > (1.0 + scaling::MARGIN) * here.ratio.value();
                let best = *best;
                if is_faster { Self::Faster(best) } else { Self::NotFaster { best, highest } }
            }
            _ => Self::NotRun,
        }
    }
}

impl SideEvidence {
    fn new(runs: &[&RunRecord]) -> Option<Self> {
        let sum = |phase: fn(&Phases) -> Duration| {
            median(runs, |run| {
                run.fetches.iter().map(|fetch| phase(&fetch.phases).as_secs_f64()).sum()
            })
        };
        Some(Self {
            wall: median(runs, wall_seconds)?,
            busy: median(runs, |run| run.busy().as_secs_f64())?,
            waiting: sum(|phases| phases.waiting)?,
            connecting: median(runs, opening_cost)?,
            first_byte: median(runs, |run| {
                let phases = run.fetches.iter().map(|fetch| &fetch.phases);
                let both: Duration = phases.map(|one| one.first_byte + opening(one)).sum();
                both.as_secs_f64() - opening_cost(run)
            })?,
            transfer: sum(|phases| phases.transfer)?,
            write: sum(|phases| phases.write)?,
            longest: median(runs, |run| {
                let busy = run.fetches.iter().map(FetchRecord::busy);
                busy.max().unwrap_or_default().as_secs_f64()
            })?,
            achieved: median(runs, |run| {
                scaling::achieved_concurrency(run.busy().as_secs_f64(), wall_seconds(run))
            })?,
            #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
            rate: median(runs, |run| run.bytes() as f64 / wall_seconds(run))?,
            #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
            rejections: median(runs, |run| run.rejections() as f64)?,
            too_many: median(runs, |run| {
                run.host_limits.iter().map(|limit| f64::from(limit.rejections)).sum()
            })?,
            accepted_together: median(runs, |run| as_f64(accepted_together(run)))?,
            last_opening: median(runs, last_opening)?,
        })
    }
}

/// What the opening of the connections of a run cost, in seconds.
fn opening_cost(run: &RunRecord) -> f64 {
    let cost = OpeningCost::of(run);
    run.fetches.iter().map(|fetch| cost.of_fetch(fetch)).sum::<Duration>().as_secs_f64()
}

/// The time of each file, without opening connections, of which each costs `opening_cost` at most.
fn times_without_opening(runs: &[&RunRecord], files: usize, opening_cost: f64) -> Option<Vec<f64>> {
    let most = Duration::from_secs_f64(opening_cost);
    let of_run = |run: &&RunRecord| -> Vec<f64> {
        let cost = OpeningCost::of(run);
        // Where each file opens a connection, that is seen in its phases.
        let opening =
            |fetch: &FetchRecord| cost.of_fetch(fetch).min(most.max(opening(&fetch.phases)));
        let time = |fetch: &FetchRecord| fetch.busy().saturating_sub(opening(fetch));
        run.fetches.iter().map(|fetch| time(fetch).as_secs_f64()).collect()
    };
    let runs: Vec<Vec<f64>> = runs.iter().map(of_run).collect();
    let of_file =
        |index| Sample::new(runs.iter().filter_map(|run| run.get(index)).copied().collect());
    (0..files).map(|index| Some(of_file(index)?.median())).collect()
}

/// The mean of the times as a fraction of the longest.
fn evenness(times: &[f64]) -> f64 {
    let longest = times.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    times.iter().sum::<f64>() / as_f64(times.len().max(1)) / longest
}

/// The most fetches in progress at a time, of those that no server rejected.
fn accepted_together(run: &RunRecord) -> usize {
    let accepted = run.fetches.iter().filter(|fetch| fetch.attempts == 1 && fetch.rejections == 0);
    let mut changes: Vec<_> =
        accepted.flat_map(|fetch| [(fetch.start, true), (fetch.end(), false)]).collect();
    // At one moment the end of a fetch comes before the start of another.
    changes.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, is_start) in changes {
        now = if is_start { now + 1 } else { now.saturating_sub(1) };
        most = most.max(now);
    }
    most
}

/// When the last lane of a run began its first fetch.
fn last_opening(run: &RunRecord) -> f64 {
    let mut first = HashMap::new();
    for fetch in &run.fetches {
        let start = first.entry(fetch.lane).or_insert(fetch.start);
        *start = (*start).min(fetch.start);
    }
    first.values().max().copied().unwrap_or_default().as_secs_f64()
}

impl<'a> Evidence<'a> {
    /// `None` if a side has no runs.
    pub(super) fn new(compared: &Compared<'a>) -> Option<Self> {
        let Compared { baseline, others, files, curve, conditions } = *compared;
        let first = others.first()?;
        let costs = baseline.iter().zip(others);
        let costs = costs.map(|(one, many)| OpeningCost::if_seldom(one, many)).collect();
        let opening_cost = Sample::new(costs)?.median();
        let without_opening = times_without_opening(baseline, files.len(), opening_cost)?;
        let time = |(file, without): (&'a FileTimes, &f64)| {
            let exact = file.exact_sequential?;
            let is_seldom = opening_cost > 0.0;
            Some((&*file.url, if is_seldom { Duration::from_secs_f64(*without) } else { exact }))
        };
        let (urls, times) = files
            .iter()
            .zip(&without_opening)
            .filter_map(time)
            .unzip::<_, _, Vec<&str>, Vec<Duration>>();
        Some(Self {
            concurrency: first.concurrency,
            max_per_host: conditions.max_per_host,
            is_proxied: !conditions.proxies.is_empty(),
            bodies: conditions.bodies,
            own_processors: conditions.processors,
            evenness: evenness(&without_opening),
            opening_cost,
            hosts: hosts(&urls, &times, baseline, others)?,
            urls,
            times,
            sequential: SideEvidence::new(baseline)?,
            concurrent: SideEvidence::new(others)?,
            processors: ProcessorUse::new(baseline, others),
            late_openings: LateOpenings::new(baseline, others)?,
            higher: HigherLevels::new(curve, first.concurrency),
        })
    }

    /// The number of connections that could be active if no host had a limit.
    pub(super) fn usable(&self) -> usize {
        self.concurrency.min(self.urls.len())
    }

    /// The number of connections that can be active: the hosts' limits and the user's are kept.
    pub(super) fn admitted(&self) -> usize {
        self.usable().min(self.hosts.iter().map(|host| host.most(self.max_per_host)).sum())
    }

    /// The time of the best schedule on this number of connections, within the limits of hosts and user, and
    /// of the opening of the connections before it.
    pub(super) fn shortest(&self, connections: usize) -> f64 {
        self.schedule(connections, |host| host.most(self.max_per_host))
    }

    /// The same without limits for one host.
    pub(super) fn shortest_without_limits(&self, connections: usize) -> f64 {
        self.schedule(connections, |_| connections)
    }

    fn schedule(&self, connections: usize, limit: impl Fn(&HostEvidence<'_>) -> usize) -> f64 {
        let fetches =
            |host: &HostEvidence<'_>| HostFetches { times: host.times.clone(), limit: limit(host) };
        let files = schedule(connections, self.hosts.iter().map(fetches).collect());
        self.opening_cost + files.as_secs_f64()
    }
}

impl HostEvidence<'_> {
    /// The sequential time of all its files.
    pub(super) fn total(&self) -> Duration {
        self.times.iter().sum()
    }

    /// The most connections to it, of which each has a file to fetch.
    pub(super) fn most(&self, max_per_host: Option<usize>) -> usize {
        self.limit.into_iter().chain(max_per_host).fold(self.times.len(), usize::min).max(1)
    }
}

fn hosts<'a>(
    urls: &[&'a str],
    times: &[Duration],
    baseline: &[&RunRecord],
    others: &[&RunRecord],
) -> Option<Vec<HostEvidence<'a>>> {
    let mut hosts: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for (url, time) in urls.iter().zip(times) {
        hosts.entry(origin(url)).or_default().push(*time);
    }
    if hosts.len() == 1 {
        let host = |(name, times)| {
            let (sequential, concurrent) =
                (SideEvidence::new(baseline)?, SideEvidence::new(others)?);
            let limit = found_limit(name, others);
            Some(HostEvidence { name, times, limit, sequential, concurrent })
        };
        return hosts.into_iter().map(host).collect();
    }
    let (mut sequential, mut concurrent) = (sides_of_hosts(baseline)?, sides_of_hosts(others)?);
    let host = |(name, times)| {
        let (sequential, concurrent) = (sequential.remove(name)?, concurrent.remove(name)?);
        Some(HostEvidence { name, times, limit: found_limit(name, others), sequential, concurrent })
    };
    hosts.into_iter().map(host).collect()
}

/// The runs of a side with the fetches from each host alone.
fn sides_of_hosts<'r>(runs: &[&'r RunRecord]) -> Option<HashMap<&'r str, SideEvidence>> {
    let mut of_hosts: HashMap<&str, Vec<RunRecord>> = HashMap::new();
    for run in runs {
        let mut of_run: HashMap<&str, Vec<FetchRecord>> = HashMap::new();
        for fetch in &run.fetches {
            of_run.entry(origin(&fetch.url)).or_default().push(fetch.clone());
        }
        for (host, fetches) in of_run {
            let limits = run.host_limits.iter().filter(|limit| limit.host == host);
            of_hosts.entry(host).or_default().push(RunRecord {
                host_limits: limits.cloned().collect(),
                ..RunRecord::new(run.concurrency, run.wall, fetches)
            });
        }
    }
    let side = |(host, runs): (_, Vec<RunRecord>)| {
        Some((host, SideEvidence::new(&runs.iter().collect::<Vec<_>>())?))
    };
    of_hosts.into_iter().map(side).collect()
}
