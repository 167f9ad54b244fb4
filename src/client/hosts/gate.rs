//! The gates of the hosts: whoever wants to send a request passes one, and gets a kept connection there.
//!
//! A worker asks for its next turn here, and is given a job together with the permit for its first
//! request, so that no worker waits for one host while another admits somebody: whose turn it is, `queue`
//! knows. Later requests for the same job, such as after a redirect, pass their host's gate themselves.
//!
//! A [`Permit`] stands for one connection in use, from before it is opened until it is closed or kept
//! for the next. Kept connections are shared by the workers of a run; those beyond what a host bears are
//! closed at once. What a host bears is `host_limit`'s to know.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use url::Url;

use super::limit::{HostLimit, Load, Refusal, Verdict};
use super::queue::{Next, Queue, Turn};
use crate::client::error::FetchError;
use crate::client::results::outcome::{LearntLimit, Phases};
use crate::client::settings::RampUp;
use crate::client::stop::Stop;
use crate::client::transport::connect::Connection;
use crate::http::Status;
use crate::printable::Escaped;

/// How long is waited at most before everything is looked at again. Whatever changes wakes those whom it
/// concerns, so this is for what nobody foresaw.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

const KNOWN: &str = "who was once at a host's gate finds it there again";
const NO_PANIC: &str = "nothing panics while the gates are locked";

/// The gates of one run.
#[derive(Debug)]
pub(crate) struct HostGates {
    state: Mutex<State>,
    /// Where those wait who want a turn.
    turns: Condvar,
    /// Most connections to one host.
    per_host: usize,
    ramp_up: RampUp,
    /// Most kept connections in all.
    capacity: usize,
    /// What wants to be left alone for longer is not waited for.
    max_wait: Duration,
    stop: Stop,
}

#[derive(Debug)]
struct State {
    hosts: Hosts,
    idle: Idle,
    queue: Queue,
    /// How many workers wait for a turn.
    waiting: usize,
}

type Hosts = HashMap<Box<str>, Host>;

/// The kept connections, each with its host; those used most recently are last. They are so few that
/// looking through them costs less than keeping them apart.
type Idle = VecDeque<(Box<str>, Connection)>;

#[derive(Debug)]
struct Host {
    limit: HostLimit,
    load: Load,
    /// Where those wait who want to pass in the middle of a job.
    passers: Arc<Condvar>,
    /// How many those are.
    passing: usize,
    /// How many URLs of it are done with.
    finished: usize,
    /// What it called itself first.
    server: Option<Box<str>>,
}

/// The right to one connection; dropped, another may have it.
#[derive(Debug)]
pub(crate) struct Permit<'g> {
    gates: &'g HostGates,
    key: Box<str>,
    stage: Stage,
    /// Of the request that is under way.
    begun: Instant,
    has_left: bool,
}

/// What a permit's connection has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has not had an answer.
    Opening,
    Proven,
    /// It was refused.
    Refused,
}

/// What a request goes out with: the permit, and a kept connection if there is one.
pub(crate) type Passage<'g> = (Permit<'g>, Option<Connection>);

impl HostGates {
    pub(crate) fn new(
        queue: Queue,
        (per_host, ramp_up): (usize, RampUp),
        capacity: usize,
        max_wait: Duration,
        stop: Stop,
    ) -> Self {
        let (hosts, idle) = (HashMap::new(), VecDeque::new());
        let state = Mutex::new(State { hosts, idle, queue, waiting: 0 });
        Self { state, turns: Condvar::new(), per_host, ramp_up, capacity, max_wait, stop }
    }

    /// Waits for a job whose host bears one more request. Once the run is stopped, every job has its turn
    /// at once, without a passage, and so have those of a host that is not waited for. `None` where this
    /// worker is not needed any longer.
    pub(crate) fn next_turn(&self) -> Option<(Turn, Option<Passage<'_>>)> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let State { hosts, idle, queue, waiting } = &mut *state;
            let next = if self.stop.reason().is_some() {
                queue.end_rests(None);
                queue.next(now, |_| Ok(None))
            } else {
                queue.next(now, |key| match self.admit((hosts, idle), key, now) {
                    Err(_) if self.barred(&hosts[key], now).is_some() => Ok(None),
                    admitted => admitted.map(Some),
                })
            };
            let until = match next {
                Next::Turn(turn, passage) => return Some((turn, passage)),
                Next::Wait(until) => until,
            };
            // A worker for each job that rests is enough: those that are under way have theirs.
            if queue.standing() == 0 && *waiting >= queue.resting() {
                self.turns.notify_all();
                return None;
            }
            *waiting += 1;
            state = self.turns.wait_timeout(state, until_at_most(until, now)).expect(NO_PANIC).0;
            state.waiting -= 1;
        }
    }

    /// The job has its turn again, but not before this time.
    pub(crate) fn rest(&self, turn: &Turn, until: Instant) {
        let mut state = self.lock();
        state.queue.rest(turn, until);
        // Those who wait may wait for longer than that.
        self.wake_one(&state);
    }

    /// The job is done with.
    pub(crate) fn finish(&self, turn: &Turn) {
        let mut state = self.lock();
        state.queue.finish(turn);
        let State { hosts, queue, .. } = &mut *state;
        // After a stop, hosts that nobody has asked are not known.
        if let Some(host) = hosts.get_mut(queue.host(turn)) {
            host.finished += 1;
        }
        self.wake_one(&state);
    }

    /// Waits until the host of `url` bears one more request.
    pub(crate) fn pass(&self, url: &Url, phases: &mut Phases) -> Result<Passage<'_>, FetchError> {
        let asked = Instant::now();
        let key = key_of(url);
        let mut state = self.lock();
        loop {
            if let Some(reason) = self.stop.reason() {
                return Err(reason.into());
            }
            let now = Instant::now();
            let State { hosts, idle, .. } = &mut *state;
            match self.admit((hosts, idle), &key, now) {
                Ok(passage) => {
                    drop(state);
                    phases.waiting += now - asked;
                    return Ok(passage);
                }
                Err(until) => {
                    let host = state.hosts.get_mut(&key).expect(KNOWN);
                    if let Some(error) = self.barred(host, now) {
                        return Err(error);
                    }
                    host.passing += 1;
                    let (passers, wait) = (Arc::clone(&host.passers), until_at_most(until, now));
                    state = passers.wait_timeout(state, wait).expect(NO_PANIC).0;
                    state.hosts.get_mut(&key).expect(KNOWN).passing -= 1;
                }
            }
        }
    }

    /// Why the URLs of a host fail without being asked for: its 429 was about the client, which is to leave
    /// it alone for longer than is waited. Connections that are opening may be accepted yet.
    fn barred(&self, host: &Host, now: Instant) -> Option<FetchError> {
        let wait = host.limit.closed(host.load, now)?.saturating_duration_since(now);
        let (status, at) = (Status::TOO_MANY_REQUESTS, SystemTime::now() + wait);
        (wait > self.max_wait && host.load.opening == 0).then_some(FetchError::RetryLater {
            status,
            at,
            was_asked: false,
        })
    }

    /// Lets a request out if its host bears it now; otherwise says when that may be, if it is known.
    fn admit(
        &self,
        (hosts, idle): (&mut Hosts, &mut Idle),
        key: &str,
        now: Instant,
    ) -> Result<Passage<'_>, Option<Instant>> {
        if !hosts.contains_key(key) {
            let host = Host::new(HostLimit::new(self.per_host, self.ramp_up));
            hosts.insert(key.into(), host);
        }
        let host = hosts.get_mut(key).expect("it has just been made");
        if let Verdict::Wait(until) = host.limit.verdict(host.load, now) {
            return Err(until);
        }
        let kept = idle.iter().rposition(|(of, _)| **of == *key);
        let connection = kept.and_then(|at| idle.remove(at)).map(|(_, connection)| connection);
        let stage = if connection.is_some() { Stage::Proven } else { Stage::Opening };
        host.load.idle -= usize::from(connection.is_some());
        host.load.in_use += 1;
        *host.counter(stage) += 1;
        Ok((
            Permit { gates: self, key: key.into(), stage, begun: now, has_left: false },
            connection,
        ))
    }

    /// How many URLs of the host of `url` are done with. Each counts once, whatever it took, so that who
    /// waits for this to grow does not wait for ever.
    pub(crate) fn finished(&self, url: &Url) -> usize {
        self.lock().hosts.get(&key_of(url)).map_or(0, |host| host.finished)
    }

    /// What was learnt of the hosts, in the order of their names.
    pub(crate) fn learnt(&self) -> Vec<LearntLimit> {
        let mut limits: Vec<_> = self
            .lock()
            .hosts
            .iter()
            .filter_map(|(key, host)| {
                let connections = host.limit.learnt()?;
                let (rejections, cost) = (host.limit.refusals, host.limit.cost);
                Some(LearntLimit { host: key.to_string(), connections, rejections, cost })
            })
            .collect();
        limits.sort_unstable_by(|one, other| one.host.cmp(&other.host));
        limits
    }

    /// What the servers called themselves, each name once.
    pub(crate) fn servers(&self) -> Vec<String> {
        let state = self.lock();
        let names =
            state.hosts.values().filter_map(|host| host.server.as_deref().map(str::to_owned));
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Has those who wait look again, such as after a stop.
    pub(crate) fn wake(&self) {
        for host in self.lock().hosts.values() {
            host.passers.notify_all();
        }
        self.turns.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }

    /// Changes what is known of a host, and closes what it does not bear.
    fn change(&self, key: &str, change: impl FnOnce(&mut Host)) {
        let mut state = self.lock();
        let State { hosts, idle, waiting, .. } = &mut *state;
        let host = hosts.get_mut(key).expect(KNOWN);
        let room_before = host.room();
        change(host);
        let surplus = host.surplus(key, idle);
        self.wake_for(host, *waiting, host.room().saturating_sub(room_before));
        drop(state);
        // Closing takes a system call, which nobody need wait for.
        drop(surplus);
    }

    /// Wakes so many of those who wait: all of them would only get into each other's way.
    /// Waking nobody costs a system call as well.
    fn wake_for(&self, host: &Host, waiting: usize, count: usize) {
        (0..count.min(host.passing)).for_each(|_| host.passers.notify_one());
        (0..count.min(waiting)).for_each(|_| self.turns.notify_one());
    }

    fn wake_one(&self, state: &State) {
        if state.waiting > 0 {
            self.turns.notify_one();
        }
    }
}

/// How long to wait for that time.
fn until_at_most(until: Option<Instant>, now: Instant) -> Duration {
    until.map_or(LONGEST_WAIT, |until| until.saturating_duration_since(now).min(LONGEST_WAIT))
}

/// Scheme, host and port: the origin as one word.
pub(crate) fn key_of(url: &Url) -> Box<str> {
    url[..url::Position::BeforePath].into()
}

impl Host {
    fn new(limit: HostLimit) -> Self {
        let passers = Arc::default();
        let load = Load::default();
        Self { limit, load, passers, passing: 0, finished: 0, server: None }
    }

    /// How many more may be opened or used.
    fn room(&self) -> usize {
        let places = self.limit.current().saturating_sub(self.load.in_use);
        places.min(self.limit.room_to_open(self.load) + self.load.idle)
    }

    fn counter(&mut self, stage: Stage) -> &mut usize {
        match stage {
            Stage::Opening => &mut self.load.opening,
            Stage::Proven => &mut self.load.proven,
            Stage::Refused => unreachable!("those that were refused are not counted"),
        }
    }

    /// A connection is no longer in use.
    fn leave(&mut self, stage: Stage) {
        self.load.in_use -= 1;
        if stage != Stage::Refused {
            *self.counter(stage) -= 1;
        }
    }

    /// Takes out the kept connections beyond the limit, those idle longest first. One that was just
    /// refused is about to end, and does not take the place of one that the host accepts.
    fn surplus(&mut self, key: &str, idle: &mut Idle) -> Vec<Connection> {
        let mut surplus = Vec::new();
        let in_use = self.load.not_refused() - self.load.idle;
        while self.load.idle > self.limit.current().saturating_sub(in_use) {
            let at = idle.iter().position(|(of, _)| **of == *key).expect("it is counted");
            surplus.extend(idle.remove(at).map(|(_, connection)| connection));
            self.load.idle -= 1;
        }
        surplus
    }
}

impl Permit<'_> {
    /// It is for the host of this URL.
    pub(crate) fn is_for(&self, url: &Url) -> bool {
        *self.key == url[..url::Position::BeforePath]
    }

    /// A kept connection was closed by the server, and is replaced.
    pub(crate) fn reopens(&mut self) {
        self.begun = Instant::now();
        self.enter(Stage::Opening, |_| {});
    }

    /// The request was answered, with whatever but a refusal, by a server of this name.
    pub(crate) fn accepted(&mut self, advertised: Option<usize>, server: Option<&[u8]>) {
        let is_first_answer = self.stage == Stage::Opening;
        self.enter(Stage::Proven, |host| {
            if host.server.is_none() {
                host.server = server.map(|name| Escaped(name).to_string().into());
            }
            if let Some(most) = advertised {
                host.limit.advertises(most);
            }
            if is_first_answer {
                host.limit.accepted(host.load);
            }
        });
    }

    /// The request was refused with 429.
    pub(crate) fn refused(&mut self, advertised: Option<usize>, retry_after: Option<Duration>) {
        let refusal = Refusal {
            advertised,
            retry_after,
            is_first_answer: self.stage == Stage::Opening,
            cost: self.begun.elapsed(),
        };
        self.enter(Stage::Refused, |host| {
            let mut remaining = host.load;
            remaining.in_use -= 1;
            host.limit.refused(&refusal, remaining, Instant::now());
        });
    }

    /// The request was answered with 503. That may be about its URL alone, so the others wait with it, but
    /// do not fail with it.
    pub(crate) fn unavailable(&mut self, retry_after: Option<Duration>) {
        let wait = retry_after.filter(|wait| *wait <= self.gates.max_wait);
        self.enter(Stage::Refused, |host| {
            if let Some(wait) = wait {
                host.limit.hold(wait, Instant::now());
            }
        });
    }

    /// Keeps the connection, on which nothing is under way, for whoever comes next.
    pub(crate) fn keep(mut self, connection: Connection) {
        let mut state = self.gates.lock();
        let State { hosts, idle, waiting, .. } = &mut *state;
        let host = &hosts[&self.key];
        if self.stage == Stage::Refused
            && (host.limit.closed(host.load, Instant::now()).is_some()
                || host.load.not_refused() >= host.limit.current())
        {
            // Kept, it would count as one that the host accepts, or take the place of one.
            drop(state);
            return;
        }
        let evicted = if idle.len() < self.gates.capacity { None } else { idle.pop_front() };
        if let Some((key, _)) = &evicted {
            hosts.get_mut(key).expect(KNOWN).load.idle -= 1;
        }
        let host = hosts.get_mut(&self.key).expect(KNOWN);
        // In one step, or another would open a connection for the place that this one still has.
        host.leave(self.stage);
        self.has_left = true;
        idle.push_back((self.key.clone(), connection));
        host.load.idle += 1;
        let surplus = host.surplus(&self.key, idle);
        self.gates.wake_for(host, *waiting, 1);
        drop(state);
        drop((surplus, evicted));
    }

    fn enter(&mut self, stage: Stage, change: impl FnOnce(&mut Host)) {
        let before = std::mem::replace(&mut self.stage, stage);
        self.gates.change(&self.key, |host| {
            if before != Stage::Refused {
                *host.counter(before) -= 1;
            }
            if stage != Stage::Refused {
                *host.counter(stage) += 1;
            }
            change(host);
        });
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.has_left {
            let stage = self.stage;
            self.gates.change(&self.key, |host| host.leave(stage));
        }
    }
}
