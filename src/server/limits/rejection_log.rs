//! One line a client and period for its rejections, however many there are.
//!
//! An attack is thousands of rejections a second, and a line for each would fill the disk that the
//! limits protect. The first of a client in a period is told at once, so that the operator sees it
//! begin; the rest are counted, and told when the period ends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::admission::Enforcement;
use super::client::Identification;
use super::registry::Registry;
use super::rejection::Rejection;
use crate::server::lock::lock;

/// Clients counted apart in a period; those beyond are counted together, so that an attack from very
/// many addresses takes no memory.
const MAX_CLIENTS: usize = 1024;

/// Counts rejections by client.
#[derive(Debug)]
pub(crate) struct RejectionLog {
    period: Duration,
    /// What becomes of those who are counted.
    verb: &'static str,
    identification: Identification,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    began: Instant,
    /// `None` is for those without a client, and for clients beyond [`MAX_CLIENTS`]. It has room for all of
    /// them from the start: grown in an attack, it would lie in the heap of a thread that ends with it.
    clients: HashMap<Option<IpAddr>, u64>,
}

impl RejectionLog {
    pub(crate) fn new(
        period: Duration,
        enforcement: Enforcement,
        identification: Identification,
    ) -> Self {
        let clients = HashMap::with_capacity(MAX_CLIENTS + 1);
        let counts = Counts { began: Instant::now(), clients };
        let verb = match enforcement {
            Enforcement::Enforced => "rejected",
            Enforcement::DryRun => "would be rejected",
        };
        Self { period, verb, identification, counts: Mutex::new(counts) }
    }

    /// Counts a rejection.
    pub(crate) fn note(&self, rejection: &Rejection) {
        let mut counts = lock(&self.counts);
        let known = counts.clients.contains_key(&rejection.client);
        let key = rejection.client.filter(|_| known || counts.clients.len() < MAX_CLIENTS);
        let count = counts.clients.entry(key).or_default();
        *count += 1;
        let is_first = *count == 1;
        drop(counts);
        if is_first {
            let Rejection { scope, limit, .. } = rejection;
            let name = self.name(key);
            log::warn!("{name}: {}, over the {scope} limit of {limit}", self.verb);
        }
    }

    /// How many rejections of this client the current period has.
    pub(crate) fn count(&self, client: IpAddr) -> u64 {
        lock(&self.counts).clients.get(&Some(client)).copied().unwrap_or(0)
    }

    /// The clients that were rejected in the current period, but for those that are counted together.
    pub(crate) fn clients(&self) -> Vec<IpAddr> {
        lock(&self.counts).clients.keys().copied().flatten().collect()
    }

    /// Tells what was counted if the period is over; says whether anything is being counted.
    pub(crate) fn report_if_due(&self, registry: &Registry) -> bool {
        let elapsed = lock(&self.counts).began.elapsed();
        if elapsed >= self.period {
            self.report(registry);
        }
        !lock(&self.counts).clients.is_empty()
    }

    /// Tells what was counted, and begins a new period.
    pub(crate) fn report(&self, registry: &Registry) {
        let mut counts = lock(&self.counts);
        let elapsed = counts.began.elapsed().as_secs_f64();
        let told: Vec<_> = counts.clients.drain().filter(|(_, count)| *count > 1).collect();
        counts.began = Instant::now();
        drop(counts);
        for (client, count) in told {
            let activity = registry.activity(client);
            let held = activity.active + activity.idle;
            log::warn!(
                "{}: {count} {} in {elapsed:.0} s, holding {held}: {} active, {} idle",
                self.name(client),
                self.verb,
                activity.active,
                activity.idle,
            );
        }
    }

    fn name(&self, client: Option<IpAddr>) -> String {
        client.map_or_else(|| "other clients".to_owned(), |key| self.identification.name(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::limits::rejection::Scope;

    fn rejection(client: Option<IpAddr>) -> Rejection {
        Rejection { client, scope: Scope::Client, limit: 12, expected_wait: Duration::ZERO }
    }

    #[test]
    fn rejections_are_counted_by_client_until_their_period_ends() {
        let log =
            RejectionLog::new(Duration::ZERO, Enforcement::Enforced, Identification::default());
        let client = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..412 {
            log.note(&rejection(Some(client)));
        }
        assert_eq!(log.count(client), 412);
        assert!(!log.report_if_due(&Registry::default()), "told and forgotten");
        assert_eq!(log.count(client), 0);
    }

    #[test]
    fn an_attack_from_very_many_addresses_takes_no_memory() {
        let log = RejectionLog::new(
            Duration::from_secs(60),
            Enforcement::DryRun,
            Identification::default(),
        );
        for number in 0..5_000_u32 {
            let client = IpAddr::from((0x7f00_0000 + number).to_be_bytes());
            log.note(&rejection(Some(client)));
        }
        assert!(log.report_if_due(&Registry::default()), "the period is not over");
        let counts = lock(&log.counts);
        assert_eq!(counts.clients.len(), MAX_CLIENTS + 1);
        assert_eq!(counts.clients[&None], 5_000 - MAX_CLIENTS as u64);
    }
}
