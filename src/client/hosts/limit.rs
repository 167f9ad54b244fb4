//! How many connections one host bears: learnt from its refusals, and tried again after a while.
//!
//! ```text
//!            first 429                      429 beyond it: less, the share of others given up
//! unknown ──────────────▶ limit ◀──────────────────────────────────────────────┐
//!    │                      │ an answer over more connections: that many       │
//!    │                      └─ nothing refused for a while: one more is probed ┘
//!    └─ connections are opened as fast as others were answered, so that few are refused
//! ```
//!
//! An advertised limit (`RateLimit-Policy` with `concurrent-requests`) is taken at its word and never
//! probed beyond. A 503 is not about the client: it makes everybody wait, and lowers nothing. Pure
//! arithmetic: the counts and the time are arguments, the waiting is `host_gate`'s.

use std::time::{Duration, Instant};

use crate::client::settings::RampUp;

/// How many connections may be opened to a host before the first is answered, where it is unknown.
const FIRST_BURST: usize = 10;

/// The least that may be opened at a time once some were answered; half of those otherwise.
const LEAST_BURST: usize = 4;

/// How long nothing may be refused before one more connection is probed; twice as long after each
/// probe that fails, up to [`LONGEST_PROBE_INTERVAL`].
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_PROBE_INTERVAL: Duration = Duration::from_secs(8);

/// The connections to one host at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// Those with a request under way, or about to be opened.
    pub(super) in_use: usize,
    /// Of these, the ones that have not had an answer yet.
    pub(super) opening: usize,
    /// Of these, the ones that have.
    pub(super) proven: usize,
    /// Those that are kept for the next request.
    pub(super) idle: usize,
}

impl Load {
    /// How many the host has accepted.
    fn accepted(self) -> usize {
        self.proven + self.idle
    }

    /// How many it has not refused.
    pub(super) fn not_refused(self) -> usize {
        self.opening + self.accepted()
    }
}

/// What a 429 says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusal {
    /// The number of concurrent requests that the host advertises.
    pub(super) advertised: Option<usize>,
    pub(super) retry_after: Option<Duration>,
    /// It came as the first answer of its connection.
    pub(super) is_first_answer: bool,
    /// How long it took to be refused.
    pub(super) cost: Duration,
}

/// Whether a request may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// Not before something changes, or this time comes.
    Wait(Option<Instant>),
}

/// What is known of one host.
#[derive(Debug)]
pub(super) struct HostLimit {
    /// The most that the user allows.
    ceiling: usize,
    /// How many connections may be opened before the first is answered.
    first_burst: usize,
    learnt: Option<usize>,
    advertised: Option<usize>,
    /// Nobody asks before.
    held_until: Option<Instant>,
    /// Nobody asks before, unless a connection is accepted.
    closed_until: Option<Instant>,
    probe_at: Option<Instant>,
    probe_interval: Duration,
    last_refusal: Option<Instant>,
    /// How many connections have had their first answer.
    answered: usize,
    pub(super) refusals: u32,
    pub(super) cost: Duration,
}

impl HostLimit {
    pub(super) fn new(ceiling: usize, ramp_up: RampUp) -> Self {
        Self {
            ceiling,
            first_burst: match ramp_up {
                RampUp::Gradual => FIRST_BURST,
                RampUp::Immediate => ceiling,
            },
            learnt: None,
            advertised: None,
            held_until: None,
            closed_until: None,
            probe_at: None,
            probe_interval: PROBE_INTERVAL,
            last_refusal: None,
            answered: 0,
            refusals: 0,
            cost: Duration::ZERO,
        }
    }

    /// The most connections at present, kept ones included.
    pub(super) fn current(&self) -> usize {
        self.learnt.unwrap_or(self.ceiling)
    }

    /// What was learnt, if anything was.
    pub(super) fn learnt(&self) -> Option<usize> {
        self.learnt
    }

    /// Whether one more request may go out, over a kept connection if there is one.
    pub(super) fn verdict(&mut self, load: Load, now: Instant) -> Verdict {
        if let Some(until) = self.closed(load, now) {
            return Verdict::Wait(Some(until));
        }
        if load.in_use >= self.current() && !self.probes(now) {
            // Where no more may be tried there is no probe to wait for, and its time may be long past.
            return Verdict::Wait(self.probe_at.filter(|_| self.current() < self.most()));
        }
        if load.idle == 0 && self.room_to_open(load) == 0 {
            return Verdict::Wait(None);
        }
        Verdict::Go
    }

    /// When the host wants to be asked again, if that is still to come (`Retry-After`).
    pub(super) fn closed(&self, load: Load, now: Instant) -> Option<Instant> {
        let closed = self.closed_until.filter(|_| load.accepted() == 0);
        later(self.held_until, closed).filter(|until| *until > now)
    }

    /// How many more may be opening now.
    pub(super) fn room_to_open(&self, load: Load) -> usize {
        self.burst().saturating_sub(load.opening)
    }

    /// How many may be opening at a time.
    fn burst(&self) -> usize {
        if self.answered == 0 { self.first_burst } else { (self.answered / 2).max(LEAST_BURST) }
            .max(self.first_burst.saturating_sub(self.answered))
    }

    /// More than this is never tried.
    fn most(&self) -> usize {
        self.advertised.map_or(self.ceiling, |advertised| advertised.clamp(1, self.ceiling))
    }

    /// Allows one more connection where that is due.
    fn probes(&mut self, now: Instant) -> bool {
        let most = self.most();
        match (self.learnt, self.probe_at) {
            (Some(learnt), Some(at)) if at <= now && learnt < most => {
                self.learnt = Some(learnt + 1);
                self.probe_at = Some(now + self.probe_interval);
                true
            }
            _ => false,
        }
    }

    /// The host says how many concurrent requests it allows.
    pub(super) fn advertises(&mut self, most: usize) {
        self.advertised = Some(most);
        if most < self.current() {
            self.learnt = Some(most.max(1));
            self.probe_at.get_or_insert_with(Instant::now);
        }
    }

    /// A connection had its first answer; the load is what it is with it.
    pub(super) fn accepted(&mut self, load: Load) {
        self.answered = self.answered.saturating_add(1);
        self.closed_until = None;
        // What the host bears is known better by what it does than by what it refused before.
        let most = self.most();
        if let Some(learnt) = &mut self.learnt {
            *learnt = (*learnt).max(load.accepted().min(most));
        }
    }

    /// A request was refused because there are too many; the load is what remains without it.
    pub(super) fn refused(&mut self, refusal: &Refusal, remaining: Load, now: Instant) {
        self.refusals += 1;
        self.cost += refusal.cost;
        let wait = refusal.retry_after.unwrap_or_default();
        // Those that are opening may be accepted yet; if not, they lower it in their turn.
        let observed = remaining.not_refused();
        self.advertised = refusal.advertised.or(self.advertised);
        let is_settled = self.last_refusal.is_some_and(|last| now > last + PROBE_INTERVAL / 2);
        self.last_refusal = Some(now);
        let limit = match refusal.advertised {
            // All there is to know, and the client went beyond it.
            Some(advertised) if observed >= advertised => advertised,
            // The place is another client's: some more are left to it, so that shares become equal.
            _ if is_settled => {
                self.probe_interval = (self.probe_interval * 2).min(LONGEST_PROBE_INTERVAL);
                observed - observed / 8
            }
            _ => observed,
        };
        let before = self.current();
        self.learnt = Some(limit.clamp(1, before));
        self.probe_at = Some(now + self.probe_interval.max(wait));
        let until = refusal.retry_after.map(|wait| now + wait);
        if refusal.is_first_answer {
            self.closed_until = later(self.closed_until, until);
        } else {
            // Not connections are too many, but requests.
            self.held_until = later(self.held_until, until);
        }
    }

    /// The host wants to be left alone by everybody.
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

    const REFUSAL: Refusal = Refusal {
        advertised: None,
        retry_after: None,
        is_first_answer: true,
        cost: Duration::from_millis(1),
    };

    fn load(opening: usize, proven: usize, idle: usize) -> Load {
        Load { in_use: opening + proven, opening, proven, idle }
    }

    #[test]
    fn connections_are_opened_as_fast_as_others_are_answered() {
        let (mut limit, now) = (HostLimit::new(64, RampUp::Gradual), Instant::now());
        assert_eq!(limit.verdict(load(9, 0, 0), now), Verdict::Go);
        assert_eq!(limit.verdict(load(10, 0, 0), now), Verdict::Wait(None));
        for proven in 1..=10 {
            limit.accepted(load(10 - proven, proven, 0));
        }
        assert_eq!(limit.verdict(load(4, 10, 0), now), Verdict::Go);
        assert_eq!(limit.verdict(load(5, 10, 0), now), Verdict::Wait(None));
        assert_eq!(limit.verdict(load(5, 0, 10), now), Verdict::Go, "kept ones cost nothing");
    }

    #[test]
    fn a_refusal_lowers_the_limit_to_what_was_accepted_and_answers_raise_it() {
        let (mut limit, now) = (HostLimit::new(64, RampUp::Gradual), Instant::now());
        for proven in 1..=10 {
            limit.accepted(load(0, proven, 0));
        }
        // Of five more, two are accepted in the end, one of them after it was refused to the others.
        limit.refused(&REFUSAL, load(4, 10, 0), now);
        limit.accepted(load(3, 11, 0));
        limit.refused(&REFUSAL, load(2, 11, 0), now);
        limit.refused(&REFUSAL, load(1, 11, 0), now);
        assert_eq!(limit.current(), 12);
        limit.accepted(load(0, 12, 0));
        assert_eq!((limit.current(), limit.refusals), (12, 3));
        assert_eq!(limit.cost, Duration::from_millis(3));
        assert!(matches!(limit.verdict(load(0, 12, 0), now), Verdict::Wait(Some(_))));
    }

    #[test]
    fn an_advertised_limit_is_taken_and_not_probed_beyond() {
        let (mut limit, now) = (HostLimit::new(64, RampUp::Gradual), Instant::now());
        let refusal = Refusal { advertised: Some(12), ..REFUSAL };
        limit.refused(&refusal, load(14, 0, 0), now);
        assert_eq!(limit.current(), 12);
        let later = now + Duration::from_secs(60);
        assert_eq!(limit.verdict(load(0, 12, 0), later), Verdict::Wait(None));
        assert_eq!(limit.verdict(load(0, 11, 0), later), Verdict::Go);
        let mut told = HostLimit::new(64, RampUp::Gradual);
        told.advertises(12);
        assert_eq!(told.verdict(load(0, 12, 0), later), Verdict::Wait(None));
    }

    #[test]
    fn one_more_is_probed_after_a_while_and_less_often_if_it_fails() {
        let (mut limit, mut now) = (HostLimit::new(8, RampUp::Gradual), Instant::now());
        limit.refused(&REFUSAL, load(0, 4, 0), now);
        assert!(matches!(limit.verdict(load(0, 4, 0), now), Verdict::Wait(_)));
        now += PROBE_INTERVAL;
        assert_eq!(limit.verdict(load(0, 4, 0), now), Verdict::Go);
        assert_eq!(limit.current(), 5);
        limit.refused(&REFUSAL, load(0, 4, 0), now);
        assert_eq!(limit.current(), 4);
        assert!(matches!(limit.verdict(load(0, 4, 0), now + PROBE_INTERVAL), Verdict::Wait(_)));
        assert_eq!(limit.verdict(load(0, 4, 0), now + 2 * PROBE_INTERVAL), Verdict::Go);
    }

    #[test]
    fn two_clients_that_share_a_limit_come_to_equal_shares() {
        const TOTAL: usize = 12;
        let mut clients =
            [HostLimit::new(64, RampUp::Gradual), HostLimit::new(64, RampUp::Gradual)];
        let mut held = [11_usize, 1];
        let mut now = Instant::now();
        for (client, held) in clients.iter_mut().zip(held) {
            client.refused(&REFUSAL, load(0, held, 0), now);
        }
        for step in 0..400 {
            now += Duration::from_millis(500);
            let which = step % 2;
            // Whatever it may open it opens; the server refuses what is beyond the total.
            while clients[which].verdict(load(0, held[which], 0), now) == Verdict::Go {
                if held.iter().sum::<usize>() < TOTAL {
                    held[which] += 1;
                    clients[which].accepted(load(0, held[which], 0));
                } else {
                    clients[which].refused(&REFUSAL, load(0, held[which], 0), now);
                    held[which] = held[which].min(clients[which].current());
                }
            }
        }
        assert!(held.iter().all(|held| (4..=8).contains(held)), "{held:?}");
    }

    #[test]
    fn a_host_is_left_alone_for_as_long_as_it_wants() {
        let now = Instant::now();
        let wait = Duration::from_secs(5);
        let mut held = HostLimit::new(8, RampUp::Gradual);
        held.hold(wait, now);
        assert_eq!(held.verdict(load(0, 0, 3), now), Verdict::Wait(Some(now + wait)));
        assert_eq!(held.verdict(load(0, 0, 3), now + wait), Verdict::Go);

        // A connection too many says nothing against those that are accepted.
        let refusal = Refusal { retry_after: Some(wait), ..REFUSAL };
        let mut full = HostLimit::new(8, RampUp::Gradual);
        full.refused(&refusal, load(0, 2, 0), now);
        assert_eq!(full.verdict(load(0, 1, 1), now), Verdict::Go);
        // Where none is, there is nothing to do but wait.
        let mut closed = HostLimit::new(8, RampUp::Gradual);
        closed.refused(&refusal, load(0, 0, 0), now);
        assert_eq!(closed.verdict(load(0, 0, 0), now), Verdict::Wait(Some(now + wait)));
        // A request too many does.
        let mut busy = HostLimit::new(8, RampUp::Gradual);
        busy.refused(&Refusal { is_first_answer: false, ..refusal }, load(0, 2, 0), now);
        assert_eq!(busy.verdict(load(0, 1, 1), now), Verdict::Wait(Some(now + wait)));
    }
}
