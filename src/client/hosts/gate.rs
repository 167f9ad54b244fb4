//! The gates of the hosts: each request waits here until its host accepts one more connection.
//!
//! A worker takes its next job here, together with the admission for its first request. It never waits
//! for one host while another admits a job; `queue` decides which job is next. Later requests of the same
//! job, such as after a redirect, are admitted one by one.
//!
//! A [`HostPermit`] is for one connection in use, from before it is opened until it is closed or kept for
//! the next request. The workers share the idle connections. Idle connections beyond a host's limit, which
//! `limit` computes, are closed at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use url::Url;

use super::host::{ConnectionState, Host, key_of};
use super::host_table::HostTable;
use super::limit::{HostLimit, Readiness, Rejection};
use super::opening::Answered;
use super::queue::{Next, Queue, Ticket};
use crate::client::error::FetchError;
use crate::client::results::outcome::{LearntLimit, Phases};
use crate::client::retry::RetryPolicy;
use crate::client::stop::Stop;
use crate::client::transport::connect::Connection;
use crate::http::Status;
use crate::lock::{lock, wait_timeout};
use crate::printable::Escaped;

/// The longest wait before the state is examined again. Every change wakes the workers that it concerns;
/// this bounds the delay by a missed wake-up.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The gates of one run.
#[derive(Debug)]
pub(crate) struct HostGates {
    state: Mutex<State>,
    /// Wakes the workers that wait for a job.
    startable: Condvar,
    limits: GateLimits,
    poll_interval: Duration,
    stop: Stop,
}

/// The bounds that the settings of a run put on its connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GateLimits {
    /// Connections to one host.
    pub(crate) per_host: usize,
    /// Idle connections to all hosts together.
    pub(crate) idle: usize,
    /// Says which `Retry-After` is obeyed.
    pub(crate) retry: RetryPolicy,
}

#[derive(Debug)]
struct State {
    hosts: HostTable,
    queue: Queue,
    /// How many workers wait for a job.
    waiting: usize,
}

/// One connection in use, counted against its host's limit until dropped.
#[derive(Debug)]
pub(crate) struct HostPermit<'g> {
    gates: &'g HostGates,
    key: Box<str>,
    state: ConnectionState,
    /// The start of the request in progress.
    started_at: Instant,
    /// The time of its connect; zero for an idle connection.
    connect: Duration,
    /// The connection is no longer counted as in use.
    is_released: bool,
}

/// A request that its host admits, with an idle connection if there is one.
#[derive(Debug)]
pub(crate) struct AdmittedRequest<'g> {
    pub(crate) permit: HostPermit<'g>,
    pub(crate) connection: Option<Connection>,
}

/// The decision about one more request to a host.
#[derive(Debug)]
enum Decision<'g> {
    Admit(AdmittedRequest<'g>),
    /// Wait for a change, or until this time.
    Wait(Option<Instant>),
    /// The host's 429 asks for a longer wait than is obeyed.
    Fail(FetchError),
}

/// A job for a worker.
#[derive(Debug)]
pub(crate) struct Assignment<'g> {
    pub(crate) ticket: Ticket,
    /// For the first request of the job; `None` if the job fails without a request.
    pub(crate) admission: Option<AdmittedRequest<'g>>,
}

impl HostGates {
    pub(crate) fn new(queue: Queue, limits: GateLimits, stop: Stop) -> Self {
        Self {
            state: Mutex::new(State { hosts: HostTable::default(), queue, waiting: 0 }),
            startable: Condvar::new(),
            limits,
            poll_interval: POLL_INTERVAL,
            stop,
        }
    }

    /// Waits for a job whose host admits one more request; `None` if this worker is no longer needed.
    ///
    /// `admission` is `None` if the run was stopped, or if the host's `Retry-After` exceeds `max_wait`; the
    /// job then fails without a request.
    pub(crate) fn next_assignment(&self) -> Option<Assignment<'_>> {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            let State { hosts, queue, waiting } = &mut *state;
            let next = if self.stop.reason().is_some() {
                queue.requeue_all();
                queue.next(now, |_| Ok(None))
            } else {
                queue.next(now, |key| match self.decide(hosts, key, now) {
                    Decision::Admit(request) => Ok(Some(request)),
                    Decision::Wait(until) => Err(until),
                    Decision::Fail(_) => Ok(None),
                })
            };
            let until = match next {
                Next::Start { ticket, admission } => return Some(Assignment { ticket, admission }),
                Next::Wait(until) => until,
            };
            // One worker is needed for each queued or delayed job; a job in progress has one.
            if queue.queued_jobs() == 0 && *waiting >= queue.delayed_jobs() {
                self.startable.notify_all();
                return None;
            }
            *waiting += 1;
            state = wait_timeout(&self.startable, state, self.wait_time(until, now));
            state.waiting -= 1;
        }
    }

    /// Delays a job until its next attempt.
    pub(crate) fn delay(&self, ticket: &Ticket, until: Instant) {
        let mut state = lock(&self.state);
        state.queue.delay(ticket, until);
        // The waiting workers may be waiting until a later time.
        self.wake_one(&state);
    }

    /// Ends a job.
    pub(crate) fn finish_job(&self, ticket: &Ticket) {
        let mut state = lock(&self.state);
        state.queue.finish_job(ticket);
        let State { hosts, queue, .. } = &mut *state;
        // After a stop there may have been no request to the host.
        if let Some(host) = hosts.get_mut(queue.host_key(ticket)) {
            host.finished_jobs += 1;
        }
        self.wake_one(&state);
    }

    /// Waits until the host of `url` admits one more request.
    pub(crate) fn admission(
        &self,
        url: &Url,
        phases: &mut Phases,
    ) -> Result<AdmittedRequest<'_>, FetchError> {
        let asked = Instant::now();
        let key = key_of(url);
        let mut state = lock(&self.state);
        loop {
            if let Some(reason) = self.stop.reason() {
                return Err(reason.into());
            }
            let now = Instant::now();
            match self.decide(&mut state.hosts, key, now) {
                Decision::Admit(request) => {
                    drop(state);
                    phases.waiting += now - asked;
                    return Ok(request);
                }
                Decision::Fail(error) => return Err(error),
                Decision::Wait(until) => {
                    let host = state.hosts.known_mut(key);
                    host.waiting += 1;
                    let (admitted, wait) = (Arc::clone(&host.admitted), self.wait_time(until, now));
                    state = wait_timeout(&admitted, state, wait);
                    state.hosts.known_mut(key).waiting -= 1;
                }
            }
        }
    }

    /// Decides about one more request to a host, and counts its connection if it is admitted.
    fn decide(&self, hosts: &mut HostTable, key: &str, now: Instant) -> Decision<'_> {
        let GateLimits { per_host, retry, .. } = self.limits;
        let host = hosts.entry(key, || Host::new(HostLimit::new(per_host)));
        if let Readiness::NotBefore(until) = host.limit.readiness(host.load, now) {
            let closed_until = host.limit.closed_until(host.load, now);
            return match closed_until.map(|until| until.saturating_duration_since(now)) {
                // A connection that is opening may be accepted.
                Some(wait) if !retry.obeys(wait) && host.load.opening == 0 => {
                    Decision::Fail(FetchError::RetryLater {
                        status: Status::TOO_MANY_REQUESTS,
                        at: SystemTime::now() + wait,
                        was_asked: false,
                    })
                }
                _ => Decision::Wait(until),
            };
        }
        let connection = hosts.take_idle(key);
        let state = match connection {
            Some(_) => ConnectionState::Proven,
            None => ConnectionState::Opening,
        };
        let host = hosts.known_mut(key);
        host.enter(state);
        if state == ConnectionState::Opening {
            host.limit.opening.record_opened(now);
        }
        let permit = HostPermit {
            gates: self,
            key: key.into(),
            state,
            started_at: now,
            connect: Duration::ZERO,
            is_released: false,
        };
        Decision::Admit(AdmittedRequest { permit, connection })
    }

    /// The number of finished jobs of the host of `url`. A job counts once, not each of its attempts, so
    /// this grows only while the host makes progress.
    pub(crate) fn finished_jobs(&self, url: &Url) -> usize {
        lock(&self.state).hosts.get(key_of(url)).map_or(0, |host| host.finished_jobs)
    }

    /// The limits that were learnt, ordered by host.
    pub(crate) fn learnt_limits(&self) -> Vec<LearntLimit> {
        let learnt = |(key, host): (&str, &Host)| {
            let connections = host.limit.learnt()?;
            Some(LearntLimit {
                host: key.to_owned(),
                connections,
                rejections: host.limit.rejections,
                cost: host.limit.cost,
                is_advertised: host.limit.is_advertised(),
            })
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

    /// The time until `until`, at most `poll_interval`.
    fn wait_time(&self, until: Option<Instant>, now: Instant) -> Duration {
        let wait = until.map(|until| until.saturating_duration_since(now));
        wait.unwrap_or(self.poll_interval).min(self.poll_interval)
    }

    /// Changes a host's state, and closes the idle connections beyond its limit.
    fn update(&self, key: &str, change: impl FnOnce(&mut Host)) {
        let mut state = lock(&self.state);
        let State { hosts, waiting, .. } = &mut *state;
        let host = hosts.known_mut(key);
        let now = Instant::now();
        let room_before = host.room(now);
        change(host);
        let surplus = hosts.take_surplus(key);
        let host = hosts.known(key);
        self.wake_for(host, *waiting, host.room(now).saturating_sub(room_before));
        drop(state);
        // Closing takes a system call each, for which the lock is not held.
        drop(surplus);
    }

    /// Wakes at most `count` workers: more would only contend for the lock. If none waits, this makes no
    /// system call.
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

impl HostPermit<'_> {
    /// Whether it is for the host of this URL.
    pub(crate) fn is_for(&self, url: &Url) -> bool {
        *self.key == *key_of(url)
    }

    /// Counts a new connection in place of an idle one that the server closed.
    pub(crate) fn reopen(&mut self) {
        self.started_at = Instant::now();
        self.enter(ConnectionState::Opening, |_| {});
    }

    /// Records a response other than a rejection. `advertised` is the number of concurrent requests that it
    /// allows, `server` its `Server` field.
    pub(crate) fn record_accepted(&mut self, advertised: Option<usize>, server: Option<&[u8]>) {
        let is_first_response = self.state == ConnectionState::Opening;
        let answered = Answered {
            opened_at: self.started_at,
            connect: self.connect,
            took: self.started_at.elapsed(),
        };
        self.enter(ConnectionState::Proven, |host| {
            if host.server.is_none() {
                host.server = server.map(|name| Escaped(name).to_string().into());
            }
            if let Some(advertised) = advertised {
                host.limit.advertise(advertised, Instant::now());
            }
            if is_first_response {
                host.limit.opening.record_answered(answered, Instant::now());
                host.limit.record_accepted(host.load);
            }
        });
    }

    /// Notes how long the connect took.
    pub(crate) fn record_connected(&mut self, took: Duration) {
        self.connect = took;
    }

    /// Records that the host refused the connection or did not accept it in time.
    pub(crate) fn record_lost(&mut self) {
        let opened_at = self.started_at;
        self.gates.update(&self.key, |host| {
            host.limit.opening.record_lost(opened_at, Instant::now());
        });
    }

    /// Records a 429.
    pub(crate) fn record_rejected(
        &mut self,
        advertised: Option<usize>,
        retry_after: Option<Duration>,
    ) {
        let rejection = Rejection {
            advertised,
            retry_after,
            is_first_response: self.state == ConnectionState::Opening,
            cost: self.started_at.elapsed(),
        };
        self.enter(ConnectionState::Rejected, |host| {
            let mut remaining = host.load;
            remaining.in_use -= 1;
            host.limit.record_rejected(&rejection, remaining, Instant::now());
        });
    }

    /// Records a 503. It may concern only its URL, so a `Retry-After` that is not obeyed fails that URL and
    /// does not delay the others.
    pub(crate) fn record_unavailable(&mut self, retry_after: Option<Duration>) {
        let wait = retry_after.filter(|wait| self.gates.limits.retry.obeys(*wait));
        let lost = Some(self.started_at).filter(|_| self.state == ConnectionState::Opening);
        self.enter(ConnectionState::Rejected, |host| {
            if let Some(wait) = wait {
                let now = Instant::now();
                host.limit.hold(wait, now);
                // The host is full: afterwards not as many connections should arrive at once.
                if let Some(opened_at) = lost {
                    host.limit.opening.record_lost(opened_at, now);
                }
            }
        });
    }

    /// Keeps the connection, which has no request in progress, for the next request.
    pub(crate) fn keep(mut self, connection: Connection) {
        let mut state = lock(&self.gates.state);
        let State { hosts, waiting, .. } = &mut *state;
        let host = hosts.known(&self.key);
        if self.state == ConnectionState::Rejected
            && (host.limit.closed_until(host.load, Instant::now()).is_some()
                || host.load.not_rejected() >= host.limit.current())
        {
            // An idle connection counts as accepted. This one would open a closed host, or close an
            // accepted connection.
            drop(state);
            return;
        }
        let evicted = hosts.evict(self.gates.limits.idle);
        // Under the same lock as `add_idle`: otherwise another connection could be opened in between.
        hosts.known_mut(&self.key).leave(self.state);
        self.is_released = true;
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

impl Drop for HostPermit<'_> {
    fn drop(&mut self) {
        if !self.is_released {
            let state = self.state;
            self.gates.update(&self.key, |host| host.leave(state));
        }
    }
}

#[cfg(test)]
mod tests;
