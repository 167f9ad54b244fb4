//! The number of connections that one host accepts: learnt from its rejections, and probed again later.
//!
//! ```text
//!            first 429                      429 beyond the limit: lower it, give up a share
//! unknown ──────────────▶ limit ◀───────────────────────────────────────────────┐
//!                           │ more connections are answered: raise it to them    │
//!                           └─ no rejection for an interval: probe one more ─────┘
//! ```
//!
//! `opening` decides how many connections may be opening at a time.
//!
//! A limit that the host advertises (`RateLimit-Policy` with `concurrent-requests`) is applied and never
//! exceeded. A 503 is not about this client: all requests wait, and the limit stays. Counts and time are
//! arguments; `gate` waits.

use std::time::{Duration, Instant};

use super::opening::OpeningWindow;

/// Time without a rejection before one more connection is probed. It doubles after each failed probe, up
/// to [`LONGEST_PROBE_INTERVAL`].
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_PROBE_INTERVAL: Duration = Duration::from_secs(8);

/// The numbers of connections to one host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// Connections with a request in progress, or about to be opened.
    pub(super) in_use: usize,
    /// Connections in use that have had no response yet.
    pub(super) opening: usize,
    /// Connections in use that have had a response other than a rejection.
    pub(super) proven: usize,
    /// Connections kept for the next request.
    pub(super) idle: usize,
}

impl Load {
    /// Connections that the host has accepted.
    fn accepted(self) -> usize {
        self.proven + self.idle
    }

    /// Connections that the host has not rejected.
    pub(super) fn not_rejected(self) -> usize {
        self.opening + self.accepted()
    }
}

/// A 429 response.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rejection {
    /// The number of concurrent requests that the host advertises.
    pub(super) advertised: Option<usize>,
    pub(super) retry_after: Option<Duration>,
    /// It was the first response on its connection.
    pub(super) is_first_response: bool,
    /// Time from the request to the rejection.
    pub(super) cost: Duration,
}

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Not before a connection changes its state, or before this time.
    NotBefore(Option<Instant>),
}

/// The limit of one host.
#[derive(Debug)]
pub(super) struct HostLimit {
    /// The limit that the user set.
    ceiling: usize,
    learnt: Option<usize>,
    advertised: Option<usize>,
    /// No request is sent before this time.
    held_until: Option<Instant>,
    /// No request is sent before this time, unless a connection is accepted.
    closed_until: Option<Instant>,
    probe_at: Option<Instant>,
    probe_interval: Duration,
    last_rejection: Option<Instant>,
    pub(super) opening: OpeningWindow,
    pub(super) rejections: u32,
    /// The time spent on rejected requests.
    pub(super) cost: Duration,
}

impl HostLimit {
    pub(super) fn new(ceiling: usize) -> Self {
        Self {
            ceiling,
            learnt: None,
            advertised: None,
            held_until: None,
            closed_until: None,
            probe_at: None,
            probe_interval: PROBE_INTERVAL,
            last_rejection: None,
            opening: OpeningWindow::new(ceiling),
            rejections: 0,
            cost: Duration::ZERO,
        }
    }

    /// The current limit, which idle connections count towards.
    pub(super) fn current(&self) -> usize {
        self.learnt.unwrap_or(self.ceiling)
    }

    /// The limit that was learnt from responses, if any.
    pub(super) fn learnt(&self) -> Option<usize> {
        self.learnt
    }

    /// Whether the limit that was learnt is the one that the host advertises.
    pub(super) fn is_advertised(&self) -> bool {
        self.learnt.is_some() && self.learnt == self.advertised.map(|advertised| advertised.max(1))
    }

    /// Whether one more request may be sent, over an idle connection if there is one.
    pub(super) fn readiness(&mut self, load: Load, now: Instant) -> Readiness {
        if let Some(until) = self.closed_until(load, now) {
            return Readiness::NotBefore(Some(until));
        }
        if load.in_use >= self.current() && !self.probe(now) {
            // At the upper bound there is no probe to wait for, and its time may be long past.
            return Readiness::NotBefore(self.probe_at.filter(|_| self.current() < self.bound()));
        }
        if load.idle == 0 && self.room_to_open(load, now) == 0 {
            return Readiness::NotBefore(self.opening.grows_at(now));
        }
        Readiness::Ready
    }

    /// When the host may be asked again (`Retry-After`), if that is in the future.
    pub(super) fn closed_until(&self, load: Load, now: Instant) -> Option<Instant> {
        let closed = self.closed_until.filter(|_| load.accepted() == 0);
        later(self.held_until, closed).filter(|until| *until > now)
    }

    /// How many more connections may be opened now.
    pub(super) fn room_to_open(&self, load: Load, now: Instant) -> usize {
        self.opening.size(now).saturating_sub(load.opening)
    }

    /// The upper bound of the probes.
    fn bound(&self) -> usize {
        self.advertised.map_or(self.ceiling, |advertised| advertised.clamp(1, self.ceiling))
    }

    /// Raises the limit by one if a probe is due, and says whether it did.
    fn probe(&mut self, now: Instant) -> bool {
        let bound = self.bound();
        match (self.learnt, self.probe_at) {
            (Some(learnt), Some(at)) if at <= now && learnt < bound => {
                self.learnt = Some(learnt + 1);
                self.probe_at = Some(now + self.probe_interval);
                true
            }
            _ => false,
        }
    }

    /// Applies the number of concurrent requests that the host advertises.
    pub(super) fn advertise(&mut self, advertised: usize, now: Instant) {
        self.advertised = Some(advertised);
        self.opening.record_advertised();
        if advertised < self.current() {
            self.learnt = Some(advertised.max(1));
            self.probe_at.get_or_insert(now);
        }
    }

    /// Counts the first response on a connection; `load` includes that connection.
    pub(super) fn record_accepted(&mut self, load: Load) {
        self.closed_until = None;
        // Accepted connections prove more than earlier rejections.
        let bound = self.bound();
        if let Some(learnt) = &mut self.learnt {
            *learnt = (*learnt).max(load.accepted().min(bound));
        }
    }

    /// Lowers the limit after a 429; `remaining` is the load without the rejected connection.
    pub(super) fn record_rejected(&mut self, rejection: &Rejection, remaining: Load, now: Instant) {
        self.rejections += 1;
        self.cost += rejection.cost;
        let wait = rejection.retry_after.unwrap_or_default();
        // Opening connections may yet be accepted; each that is rejected lowers the limit by itself.
        let observed = remaining.not_rejected();
        if rejection.advertised.is_some() {
            self.advertised = rejection.advertised;
            self.opening.record_advertised();
        }
        let is_settled = self.last_rejection.is_some_and(|last| now > last + PROBE_INTERVAL / 2);
        self.last_rejection = Some(now);
        let limit = match rejection.advertised {
            // The client exceeded the advertised limit, which is exact.
            Some(advertised) if observed >= advertised => advertised,
            // Another client took the place. Giving up an eighth makes the shares converge.
            _ if is_settled => {
                self.probe_interval = (self.probe_interval * 2).min(LONGEST_PROBE_INTERVAL);
                observed - observed / 8
            }
            _ => observed,
        };
        let before = self.current();
        self.learnt = Some(limit.clamp(1, before));
        self.probe_at = Some(now + self.probe_interval.max(wait));
        let until = rejection.retry_after.map(|wait| now + wait);
        if rejection.is_first_response {
            self.closed_until = later(self.closed_until, until);
        } else {
            // On an accepted connection, the rejection is about the number of requests, not of connections.
            self.held_until = later(self.held_until, until);
        }
    }

    /// Sends no request for `wait` (a 503 with `Retry-After`).
    pub(super) fn hold(&mut self, wait: Duration, now: Instant) {
        self.held_until = later(self.held_until, Some(now + wait));
    }
}

fn later(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.max(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REJECTION: Rejection = Rejection {
        advertised: None,
        retry_after: None,
        is_first_response: true,
        cost: Duration::from_millis(1),
    };

    fn load(opening: usize, proven: usize, idle: usize) -> Load {
        Load { in_use: opening + proven, opening, proven, idle }
    }

    #[test]
    fn opening_connections_are_bounded_and_idle_ones_are_not() {
        let (mut limit, now) = (HostLimit::new(64), Instant::now());
        limit.opening.record_opened(now);
        assert_eq!(limit.readiness(load(4, 0, 0), now), Readiness::Ready);
        let Readiness::NotBefore(Some(later)) = limit.readiness(load(5, 0, 0), now) else {
            panic!("more are opened without a response, but later")
        };
        assert_eq!(limit.readiness(load(5, 0, 1), now), Readiness::Ready, "it is not opened");
        assert_eq!(limit.readiness(load(9, 0, 0), later), Readiness::Ready);
        assert_eq!(limit.readiness(load(10, 0, 0), later), Readiness::NotBefore(None));
        limit.advertise(100, later);
        assert_eq!(limit.readiness(load(63, 0, 0), later), Readiness::Ready);
    }

    #[test]
    fn a_rejection_lowers_the_limit_to_what_was_accepted_and_answers_raise_it() {
        let (mut limit, now) = (HostLimit::new(64), Instant::now());
        for proven in 1..=10 {
            limit.record_accepted(load(0, proven, 0));
        }
        // Two of five more are accepted in the end, one of them after others were rejected.
        limit.record_rejected(&REJECTION, load(4, 10, 0), now);
        limit.record_accepted(load(3, 11, 0));
        limit.record_rejected(&REJECTION, load(2, 11, 0), now);
        limit.record_rejected(&REJECTION, load(1, 11, 0), now);
        assert_eq!(limit.current(), 12);
        limit.record_accepted(load(0, 12, 0));
        assert_eq!((limit.current(), limit.rejections), (12, 3));
        assert_eq!(limit.cost, Duration::from_millis(3));
        assert!(matches!(limit.readiness(load(0, 12, 0), now), Readiness::NotBefore(Some(_))));
    }

    #[test]
    fn an_advertised_limit_is_applied_and_not_probed_beyond() {
        let (mut limit, now) = (HostLimit::new(64), Instant::now());
        let rejection = Rejection { advertised: Some(12), ..REJECTION };
        limit.record_rejected(&rejection, load(14, 0, 0), now);
        assert_eq!(limit.current(), 12);
        let later = now + Duration::from_secs(60);
        assert_eq!(limit.readiness(load(0, 12, 0), later), Readiness::NotBefore(None));
        assert_eq!(limit.readiness(load(0, 11, 0), later), Readiness::Ready);
        let mut told = HostLimit::new(64);
        told.advertise(12, now);
        assert_eq!(told.readiness(load(0, 12, 0), later), Readiness::NotBefore(None));
    }

    #[test]
    fn one_more_connection_is_probed_after_an_interval_that_doubles_on_failure() {
        let (mut limit, mut now) = (HostLimit::new(8), Instant::now());
        limit.record_rejected(&REJECTION, load(0, 4, 0), now);
        assert!(matches!(limit.readiness(load(0, 4, 0), now), Readiness::NotBefore(_)));
        now += PROBE_INTERVAL;
        assert_eq!(limit.readiness(load(0, 4, 0), now), Readiness::Ready);
        assert_eq!(limit.current(), 5);
        limit.record_rejected(&REJECTION, load(0, 4, 0), now);
        assert_eq!(limit.current(), 4);
        assert!(matches!(
            limit.readiness(load(0, 4, 0), now + PROBE_INTERVAL),
            Readiness::NotBefore(_)
        ));
        assert_eq!(limit.readiness(load(0, 4, 0), now + 2 * PROBE_INTERVAL), Readiness::Ready);
    }

    #[test]
    fn a_share_is_given_up_more_than_half_an_interval_after_the_last_rejection() {
        let half = PROBE_INTERVAL / 2;
        for (after, expected) in [(half, 16), (half + Duration::from_millis(1), 14)] {
            let (mut limit, now) = (HostLimit::new(64), Instant::now());
            limit.record_rejected(&REJECTION, load(0, 16, 0), now);
            limit.record_rejected(&REJECTION, load(0, 16, 0), now + after);
            assert_eq!(limit.current(), expected, "{after:?}");
        }
    }

    #[test]
    fn two_clients_of_one_host_converge_to_equal_shares() {
        const TOTAL: usize = 12;
        let mut clients = [HostLimit::new(64), HostLimit::new(64)];
        let mut held = [11_usize, 1];
        let mut now = Instant::now();
        for (client, held) in clients.iter_mut().zip(held) {
            client.record_rejected(&REJECTION, load(0, held, 0), now);
        }
        for step in 0..400 {
            now += Duration::from_millis(500);
            let which = step % 2;
            // It opens all it may; the server rejects connections beyond the total.
            while clients[which].readiness(load(0, held[which], 0), now) == Readiness::Ready {
                if held.iter().sum::<usize>() < TOTAL {
                    held[which] += 1;
                    clients[which].record_accepted(load(0, held[which], 0));
                } else {
                    clients[which].record_rejected(&REJECTION, load(0, held[which], 0), now);
                    held[which] = held[which].min(clients[which].current());
                }
            }
        }
        assert!(held.iter().all(|held| (4..=8).contains(held)), "{held:?}");
    }

    #[test]
    fn no_request_is_sent_before_retry_after_is_over() {
        let now = Instant::now();
        let wait = Duration::from_secs(5);
        let mut held = HostLimit::new(8);
        held.hold(wait, now);
        assert_eq!(held.readiness(load(0, 0, 3), now), Readiness::NotBefore(Some(now + wait)));
        assert_eq!(held.readiness(load(0, 0, 3), now + wait), Readiness::Ready);

        // A rejected connection does not close the accepted ones.
        let rejection = Rejection { retry_after: Some(wait), ..REJECTION };
        let mut full = HostLimit::new(8);
        full.record_rejected(&rejection, load(0, 2, 0), now);
        assert_eq!(full.readiness(load(0, 1, 1), now), Readiness::Ready);
        // Without an accepted connection the host is closed.
        let mut closed = HostLimit::new(8);
        closed.record_rejected(&rejection, load(0, 0, 0), now);
        assert_eq!(closed.readiness(load(0, 0, 0), now), Readiness::NotBefore(Some(now + wait)));
        // A rejection on an accepted connection stops all requests.
        let mut busy = HostLimit::new(8);
        busy.record_rejected(
            &Rejection { is_first_response: false, ..rejection },
            load(0, 2, 0),
            now,
        );
        assert_eq!(busy.readiness(load(0, 1, 1), now), Readiness::NotBefore(Some(now + wait)));
    }
}
