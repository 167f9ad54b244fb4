//! Whose password is verified next: the rules, without threads or a clock.
//!
//! Verifying a password is slow on purpose, so an attacker who guesses could keep all processors and slots busy.
//! A connection whose password is to be verified takes a place:
//!
//! ```text
//! Waiting ─▶ Running ─▶ gone      the password was right
//!    │          └─────▶ Delayed   it was wrong: the response is delayed
//!    └─▶ gone                        └─▶ gone
//! ```
//!
//! A client is *suspect* while it has sent wrong passwords, unless it is exempt: then the address does not identify
//! one client, and only the connection that failed is suspect. Clients that are not come first: those that
//! have logged in lately, then the others, of which a bounded number may wait; each in the order of arrival.
//! Suspects come one at a time, those with the fewest wrong passwords first, none while a response to the same
//! client is delayed, and with pauses that leave them a quarter of one processor. They have a bounded number of
//! places, from which those with more wrong passwords are evicted, and those with as many that are delayed.

use std::net::IpAddr;
use std::thread::Thread;
use std::time::{Duration, Instant};

/// After a verification for a suspect, none begins for this many times its duration.
const PAUSE_FACTOR: u32 = 3;

/// All places, in the order in which they were taken.
#[derive(Debug)]
pub(super) struct Places {
    taken: Vec<Place>,
    limits: PlaceLimits,
    next_ticket: Ticket,
    /// The earliest time for the next suspect.
    suspects_resume_at: Option<Instant>,
}

/// Bounds on what verifications use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlaceLimits {
    /// Most verifications at a time.
    pub(super) running: usize,
    /// Most places of clients that have not logged in lately, and are not suspect.
    pub(super) unknown: usize,
    /// Most places of suspects.
    pub(super) suspects: usize,
}

/// A client whose password is to be verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applicant {
    /// `None` if it is exempt.
    pub(super) client: Option<IpAddr>,
    /// It has logged in lately.
    pub(super) is_known: bool,
    /// Wrong passwords that it has sent; above 0 it is suspect.
    pub(super) failures: u64,
}

/// Identifies a place.
pub(super) type Ticket = u64;

#[derive(Debug)]
struct Place {
    ticket: Ticket,
    applicant: Applicant,
    stage: Stage,
    /// Waits for its turn, or for the end of the delay.
    thread: Thread,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Running { since: Instant },
    Delayed,
}

/// What becomes of a waiting place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Its verification may begin.
    Run,
    /// It was evicted.
    Evicted,
    /// It is woken when its turn comes; if a time is given, that is when to ask again.
    Wait(Option<Instant>),
}

impl Places {
    pub(super) fn new(limits: PlaceLimits) -> Self {
        Self { taken: Vec::new(), limits, next_ticket: 0, suspects_resume_at: None }
    }

    /// Takes a place for the thread of an applicant. `None` if all are taken that it may have. A suspect may have
    /// that of one with more wrong passwords, or with as many if only the response to it is delayed.
    pub(super) fn take(
        &mut self,
        applicant: Applicant,
        thread: Thread,
        now: Instant,
    ) -> Option<Ticket> {
        if applicant.failures > 0 {
            if self.suspects() >= self.limits.suspects {
                let worst = self.worst_suspect()?;
                let is_delayed = self.taken[worst].stage == Stage::Delayed;
                if (self.taken[worst].failures(), is_delayed) <= (applicant.failures, false) {
                    return None;
                }
                self.evict(worst);
            }
        } else if !applicant.is_known && self.unknown() >= self.limits.unknown {
            return None;
        }
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.taken.push(Place { ticket, applicant, stage: Stage::Waiting, thread });
        self.start(now);
        Some(ticket)
    }

    /// Starts what may start, and says what becomes of this place.
    pub(super) fn turn(&mut self, ticket: Ticket, now: Instant) -> Turn {
        self.start(now);
        let Some(place) = self.taken.iter().find(|place| place.ticket == ticket) else {
            return Turn::Evicted;
        };
        match place.stage {
            Stage::Running { .. } => Turn::Run,
            _ if place.failures() == 0 => Turn::Wait(None),
            _ => Turn::Wait(self.suspects_resume_at.filter(|time| *time > now)),
        }
    }

    /// The password of this place was right: its client has logged in, also for its connections that wait.
    pub(super) fn succeed(&mut self, ticket: Ticket) {
        if let Some(index) = self.index(ticket) {
            self.of_same_client(index).for_each(|place| place.applicant.is_known = true);
        }
    }

    /// The password of this place was wrong. Its client is suspect from now on, and the place remains until it
    /// is left or evicted.
    pub(super) fn fail(&mut self, ticket: Ticket, now: Instant) {
        let Some(index) = self.index(ticket) else { return };
        self.end_run(index, now);
        self.taken[index].stage = Stage::Delayed;
        self.of_same_client(index).for_each(|place| place.applicant.failures += 1);
        while self.suspects() > self.limits.suspects
            && let Some(worst) = self.worst_suspect()
        {
            self.evict(worst);
        }
        self.start_and_wake(now);
    }

    /// Leaves a place. One that was evicted may have been the one that was woken: another one is.
    pub(super) fn leave(&mut self, ticket: Ticket, now: Instant) {
        if let Some(index) = self.index(ticket) {
            self.end_run(index, now);
            self.taken.remove(index);
        }
        self.start_and_wake(now);
    }

    /// True if the place was evicted or left.
    pub(super) fn is_gone(&self, ticket: Ticket) -> bool {
        self.index(ticket).is_none()
    }

    /// Evicts all that wait or are delayed.
    pub(super) fn clear(&mut self) {
        let is_running = |place: &Place| matches!(place.stage, Stage::Running { .. });
        self.taken.iter().for_each(|place| place.thread.unpark());
        self.taken.retain(is_running);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.taken.len()
    }

    /// Starts verifications while more may run.
    fn start(&mut self, now: Instant) {
        let is_running = |place: &&Place| matches!(place.stage, Stage::Running { .. });
        while self.taken.iter().filter(is_running).count() < self.limits.running
            && let Some(next) = self.next(now)
        {
            let place = &mut self.taken[next];
            place.stage = Stage::Running { since: now };
            place.thread.unpark();
        }
    }

    /// Starts what may start, and wakes the suspect that comes next, so that it learns when.
    fn start_and_wake(&mut self, now: Instant) {
        self.start(now);
        let waiting = self.taken.iter().filter(|place| place.is_waiting() && place.failures() > 0);
        if let Some(place) = waiting.min_by_key(|place| place.failures()) {
            place.thread.unpark();
        }
    }

    /// The place whose verification begins next, if one may begin.
    fn next(&self, now: Instant) -> Option<usize> {
        let may_begin = |(_, place): &(usize, &Place)| {
            place.is_waiting()
                && (place.failures() == 0 || self.is_suspects_turn(place.applicant.client, now))
        };
        let ready = self.taken.iter().enumerate().filter(may_begin);
        // Of equal ones the first comes first.
        ready
            .min_by_key(|(_, place)| (place.failures(), !place.applicant.is_known))
            .map(|(index, _)| index)
    }

    fn is_suspects_turn(&self, client: Option<IpAddr>, now: Instant) -> bool {
        self.suspects_resume_at.is_none_or(|time| time <= now)
            && !self.taken.iter().any(|place| match place.stage {
                Stage::Waiting => false,
                Stage::Running { .. } => place.failures() > 0 || place.applicant.client == client,
                Stage::Delayed => place.applicant.client == client,
            })
    }

    /// A verification has ended; for a suspect the pause begins.
    fn end_run(&mut self, index: usize, now: Instant) {
        if let Place {
            stage: Stage::Running { since },
            applicant: Applicant { failures: 1.., .. },
            ..
        } = self.taken[index]
        {
            let pause: Duration = (now - since) * PAUSE_FACTOR;
            self.suspects_resume_at = Some(now + pause);
        }
    }

    fn suspects(&self) -> usize {
        self.taken.iter().filter(|place| place.failures() > 0).count()
    }

    /// Places of clients that have not logged in lately, and are not suspect.
    fn unknown(&self) -> usize {
        let is_unknown = |place: &&Place| place.failures() == 0 && !place.applicant.is_known;
        self.taken.iter().filter(is_unknown).count()
    }

    /// The suspect that is evicted first: the one with the most wrong passwords, which waits or is delayed.
    fn worst_suspect(&self) -> Option<usize> {
        let is_candidate = |(_, place): &(usize, &Place)| {
            place.failures() > 0 && !matches!(place.stage, Stage::Running { .. })
        };
        let candidates = self.taken.iter().enumerate().filter(is_candidate);
        // Of equal ones the delayed ones first, which lose nothing but the rest of their delay, the oldest the
        // least. Of those that wait, the last one.
        let rank = |(index, place): &(usize, &Place)| match place.stage {
            Stage::Delayed => (place.failures(), true, usize::MAX - index),
            _ => (place.failures(), false, *index),
        };
        candidates.max_by_key(rank).map(|(index, _)| index)
    }

    /// This place and the others of its client; only this one if the client is exempt.
    fn of_same_client(&mut self, index: usize) -> impl Iterator<Item = &mut Place> {
        let Place { ticket, applicant: Applicant { client, .. }, .. } = self.taken[index];
        self.taken.iter_mut().filter(move |place| {
            place.ticket == ticket || (client.is_some() && place.applicant.client == client)
        })
    }

    fn evict(&mut self, index: usize) {
        self.taken.remove(index).thread.unpark();
    }

    fn index(&self, ticket: Ticket) -> Option<usize> {
        self.taken.iter().position(|place| place.ticket == ticket)
    }
}

impl Place {
    fn failures(&self) -> u64 {
        self.applicant.failures
    }

    fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }
}

#[cfg(test)]
mod tests;
