//! The gates of the hosts: each request waits here until its host accepts one more connection.
//!
//! A worker takes its next job here, together with the admission for its first request. It never waits
//! for one host while another admits a job; `queue` decides which job is next. Later requests of the same
//! job, such as after a redirect, are admitted one by one.
//!
//! A [`Permit`] stands for one connection in use, from before it is opened until it is closed or kept for
//! the next request. The workers share the idle connections. Those beyond a host's limit, which `limit`
//! knows, are closed at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use url::Url;

use super::host::{ConnectionState, Host, key_of};
use super::host_table::HostTable;
use super::limit::{HostLimit, Readiness, Refusal};
use super::queue::{Next, Queue, Ticket};
use crate::client::error::FetchError;
use crate::client::results::outcome::{LearntLimit, Phases};
use crate::client::settings::RampUp;
use crate::client::stop::Stop;
use crate::client::transport::connect::Connection;
use crate::http::Status;
use crate::lock::{lock, wait_timeout};
use crate::printable::Escaped;

/// The longest wait before the state is examined again. Every change wakes the workers it concerns; this
/// bounds the damage of a missed wake-up.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The gates of one run.
#[derive(Debug)]
pub(crate) struct HostGates {
    state: Mutex<State>,
    /// Wakes the workers that wait for a job.
    startable: Condvar,
    limits: GateLimits,
    longest_wait: Duration,
    stop: Stop,
}

/// The bounds that the settings of a run put on its connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GateLimits {
    /// Connections to one host.
    pub(crate) per_host: usize,
    pub(crate) ramp_up: RampUp,
    /// Idle connections to all hosts together.
    pub(crate) idle: usize,
    /// The longest wait that a server may ask for.
    pub(crate) max_wait: Duration,
}

#[derive(Debug)]
struct State {
    hosts: HostTable,
    queue: Queue,
    /// How many workers wait for a job.
    waiting: usize,
}

/// The right to one connection; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Permit<'g> {
    gates: &'g HostGates,
    key: Box<str>,
    state: ConnectionState,
    /// When the request in progress began.
    begun: Instant,
    has_left: bool,
}

/// The admission of one request: a permit, and an idle connection if there is one.
#[derive(Debug)]
pub(crate) struct Admission<'g> {
    pub(crate) permit: Permit<'g>,
    pub(crate) connection: Option<Connection>,
}

/// A job for a worker.
#[derive(Debug)]
pub(crate) struct Assignment<'g> {
    pub(crate) ticket: Ticket,
    /// For the first request of the job; `None` if the job fails without a request.
    pub(crate) admission: Option<Admission<'g>>,
}

impl HostGates {
    pub(crate) fn new(queue: Queue, limits: GateLimits, stop: Stop) -> Self {
        let state = Mutex::new(State { hosts: HostTable::default(), queue, waiting: 0 });
        let (startable, longest_wait) = (Condvar::new(), LONGEST_WAIT);
        Self { state, startable, limits, longest_wait, stop }
    }

    /// Waits for a job whose host admits one more request; `None` if this worker is no longer needed.
    ///
    /// Jobs come without an admission once the run is stopped, and those of a host that wants to be left
    /// alone for longer than is waited.
    pub(crate) fn next_assignment(&self) -> Option<Assignment<'_>> {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            let State { hosts, queue, waiting } = &mut *state;
            let next = if self.stop.reason().is_some() {
                queue.requeue_all();
                queue.next(now, |_| Ok(None))
            } else {
                queue.next(now, |key| match self.admit(hosts, key, now) {
                    Err(_) if self.barred(hosts.known(key), now).is_some() => Ok(None),
                    admitted => admitted.map(Some),
                })
            };
            let until = match next {
                Next::Start { ticket, admission } => return Some(Assignment { ticket, admission }),
                Next::Wait(until) => until,
            };
            // One waiting worker for each delayed job is enough: jobs in progress have their own.
            if queue.queued() == 0 && *waiting >= queue.delayed() {
                self.startable.notify_all();
                return None;
            }
            *waiting += 1;
            state = wait_timeout(&self.startable, state, self.wait(until, now));
            state.waiting -= 1;
        }
    }

    /// Delays a job until its next attempt.
    pub(crate) fn delay(&self, ticket: &Ticket, until: Instant) {
        let mut state = lock(&self.state);
        state.queue.delay(ticket, until);
        // Waiting workers may have a later time to wait for.
        self.wake_one(&state);
    }

    /// Ends a job.
    pub(crate) fn finish(&self, ticket: &Ticket) {
        let mut state = lock(&self.state);
        state.queue.finish(ticket);
        let State { hosts, queue, .. } = &mut *state;
        // After a stop there may have been no request to the host.
        if let Some(host) = hosts.get_mut(queue.host_key(ticket)) {
            host.finished += 1;
        }
        self.wake_one(&state);
    }

    /// Waits until the host of `url` admits one more request.
    pub(crate) fn admission(
        &self,
        url: &Url,
        phases: &mut Phases,
    ) -> Result<Admission<'_>, FetchError> {
        let asked = Instant::now();
        let key = key_of(url);
        let mut state = lock(&self.state);
        loop {
            if let Some(reason) = self.stop.reason() {
                return Err(reason.into());
            }
            let now = Instant::now();
            match self.admit(&mut state.hosts, key, now) {
                Ok(admission) => {
                    drop(state);
                    phases.waiting += now - asked;
                    return Ok(admission);
                }
                Err(until) => {
                    let host = state.hosts.known_mut(key);
                    if let Some(error) = self.barred(host, now) {
                        return Err(error);
                    }
                    host.waiting += 1;
                    let (admitted, wait) = (Arc::clone(&host.admitted), self.wait(until, now));
                    state = wait_timeout(&admitted, state, wait);
                    state.hosts.known_mut(key).waiting -= 1;
                }
            }
        }
    }

    /// The error of a request to a host whose 429 asks for a longer wait than is allowed. While
    /// connections are opening there is none, as one of them may be accepted.
    fn barred(&self, host: &Host, now: Instant) -> Option<FetchError> {
        let until = host.limit.closed_until(host.load, now)?;
        let wait = until.saturating_duration_since(now);
        let (status, at) = (Status::TOO_MANY_REQUESTS, SystemTime::now() + wait);
        (wait > self.limits.max_wait && host.load.opening == 0).then_some(FetchError::RetryLater {
            status,
            at,
            was_asked: false,
        })
    }

    /// Admits a request if its host accepts it now; otherwise says when it might, if that is known.
    fn admit(
        &self,
        hosts: &mut HostTable,
        key: &str,
        now: Instant,
    ) -> Result<Admission<'_>, Option<Instant>> {
        let GateLimits { per_host, ramp_up, .. } = self.limits;
        let host = hosts.entry(key, || Host::new(HostLimit::new(per_host, ramp_up)));
        if let Readiness::NotBefore(until) = host.limit.readiness(host.load, now) {
            return Err(until);
        }
        let connection = hosts.take_idle(key);
        let state = match connection {
            Some(_) => ConnectionState::Proven,
            None => ConnectionState::Opening,
        };
        hosts.known_mut(key).enter(state);
        let permit = Permit { gates: self, key: key.into(), state, begun: now, has_left: false };
        Ok(Admission { permit, connection })
    }

    /// How many URLs of the host of `url` are done. Each counts once, however many attempts it took, so
    /// that this grows only while the host makes progress.
    pub(crate) fn finished(&self, url: &Url) -> usize {
        lock(&self.state).hosts.get(key_of(url)).map_or(0, |host| host.finished)
    }

    /// The limits that were learnt, ordered by host.
    pub(crate) fn learnt_limits(&self) -> Vec<LearntLimit> {
        let learnt = |(key, host): (&str, &Host)| {
            let connections = host.limit.learnt()?;
            let (rejections, cost) = (host.limit.refusals, host.limit.cost);
            Some(LearntLimit { host: key.to_owned(), connections, rejections, cost })
        };
        let mut limits: Vec<_> = lock(&self.state).hosts.iter().filter_map(learnt).collect();
        limits.sort_unstable_by(|one, other| one.host.cmp(&other.host));
        limits
    }

    /// The `Server` fields of the hosts, each value once.
    pub(crate) fn servers(&self) -> Vec<String> {
        let state = lock(&self.state);
        let servers = state.hosts.iter().filter_map(|(_, host)| host.server.as_deref());
        servers.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Wakes all waiting workers, such as after a stop.
    pub(crate) fn wake(&self) {
        for (_, host) in lock(&self.state).hosts.iter() {
            host.admitted.notify_all();
        }
        self.startable.notify_all();
    }

    /// How long to wait for a time.
    fn wait(&self, until: Option<Instant>, now: Instant) -> Duration {
        let wait = until.map(|until| until.saturating_duration_since(now));
        wait.unwrap_or(self.longest_wait).min(self.longest_wait)
    }

    /// Changes a host's state, and closes the idle connections beyond its limit.
    fn update(&self, key: &str, change: impl FnOnce(&mut Host)) {
        let mut state = lock(&self.state);
        let State { hosts, waiting, .. } = &mut *state;
        let host = hosts.known_mut(key);
        let room_before = host.room();
        change(host);
        let surplus = hosts.take_surplus(key);
        let host = hosts.known(key);
        self.wake_for(host, *waiting, host.room().saturating_sub(room_before));
        drop(state);
        // Closing takes a system call each, for which the lock is not held.
        drop(surplus);
    }

    /// Wakes at most `count` workers: more would only contend for the lock. Where none waits, the system
    /// call is saved.
    fn wake_for(&self, host: &Host, waiting: usize, count: usize) {
        (0..count.min(host.waiting)).for_each(|_| host.admitted.notify_one());
        (0..count.min(waiting)).for_each(|_| self.startable.notify_one());
    }

    fn wake_one(&self, state: &State) {
        if state.waiting > 0 {
            self.startable.notify_one();
        }
    }
}

impl Permit<'_> {
    /// Whether it is for the host of this URL.
    pub(crate) fn is_for(&self, url: &Url) -> bool {
        *self.key == *key_of(url)
    }

    /// Replaces a kept connection that the server closed by a new one.
    pub(crate) fn reopen(&mut self) {
        self.begun = Instant::now();
        self.enter(ConnectionState::Opening, |_| {});
    }

    /// The response is not a refusal. `server` is its `Server` field.
    pub(crate) fn accepted(&mut self, advertised: Option<usize>, server: Option<&[u8]>) {
        let is_first_response = self.state == ConnectionState::Opening;
        self.enter(ConnectionState::Proven, |host| {
            if host.server.is_none() {
                host.server = server.map(|name| Escaped(name).to_string().into());
            }
            if let Some(advertised) = advertised {
                host.limit.advertise(advertised, Instant::now());
            }
            if is_first_response {
                host.limit.accepted(host.load);
            }
        });
    }

    /// The response is a 429.
    pub(crate) fn refused(&mut self, advertised: Option<usize>, retry_after: Option<Duration>) {
        let refusal = Refusal {
            advertised,
            retry_after,
            is_first_response: self.state == ConnectionState::Opening,
            cost: self.begun.elapsed(),
        };
        self.enter(ConnectionState::Refused, |host| {
            let mut remaining = host.load;
            remaining.in_use -= 1;
            host.limit.refused(&refusal, remaining, Instant::now());
        });
    }

    /// The response is a 503. It may concern its URL alone, so the other URLs of the host wait with it but
    /// do not fail with it.
    pub(crate) fn unavailable(&mut self, retry_after: Option<Duration>) {
        let wait = retry_after.filter(|wait| *wait <= self.gates.limits.max_wait);
        self.enter(ConnectionState::Refused, |host| {
            if let Some(wait) = wait {
                host.limit.hold(wait, Instant::now());
            }
        });
    }

    /// Keeps the connection, which has no request in progress, for the next request.
    pub(crate) fn keep(mut self, connection: Connection) {
        let mut state = lock(&self.gates.state);
        let State { hosts, waiting, .. } = &mut *state;
        let host = hosts.known(&self.key);
        if self.state == ConnectionState::Refused
            && (host.limit.closed_until(host.load, Instant::now()).is_some()
                || host.load.not_refused() >= host.limit.current())
        {
            // Kept, it would count as accepted, or take the place of an accepted one.
            drop(state);
            return;
        }
        let evicted = hosts.evict(self.gates.limits.idle);
        // Both under one lock: otherwise another connection could be opened for the place in between.
        hosts.known_mut(&self.key).leave(self.state);
        self.has_left = true;
        hosts.add_idle(self.key.clone(), connection);
        let surplus = hosts.take_surplus(&self.key);
        self.gates.wake_for(hosts.known(&self.key), *waiting, 1);
        drop(state);
        drop((surplus, evicted));
    }

    fn enter(&mut self, state: ConnectionState, change: impl FnOnce(&mut Host)) {
        let before = std::mem::replace(&mut self.state, state);
        self.gates.update(&self.key, |host| {
            host.change_state(before, state);
            change(host);
        });
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.has_left {
            let state = self.state;
            self.gates.update(&self.key, |host| host.leave(state));
        }
    }
}

#[cfg(test)]
mod tests;
