//! Logs rejections: at most two lines for each client and period.
//!
//! An attack causes thousands of rejections a second, and a line for each would fill the disk. The first of a
//! client in a period is logged at once, so that the operator sees when it begins; the number of all is
//! logged at the end of the period.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::admission::Enforcement;
use super::client::Identification;
use super::registry::{Activity, Registry};
use super::rejection::Rejection;
use crate::lock::lock;

/// Most clients counted separately in a period. Further ones are counted together, so that an attack from
/// many addresses takes no memory.
const MAX_CLIENTS: usize = 1024;

/// Counts rejections by client, and logs them.
#[derive(Debug)]
pub(crate) struct RejectionLog {
    period: Duration,
    /// For the log: rejected, or would be rejected.
    verb: &'static str,
    identification: Identification,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    started_at: Instant,
    /// Rejections by client; `None` for unknown clients and for those beyond [`MAX_CLIENTS`]. The map has
    /// room for all from the start: if it grew in an attack, it would be allocated in the heap of a
    /// connection's thread, and keep it from shrinking.
    clients: HashMap<Option<IpAddr>, u64>,
}

impl RejectionLog {
    pub(crate) fn new(
        period: Duration,
        enforcement: Enforcement,
        identification: Identification,
    ) -> Self {
        let clients = HashMap::with_capacity(MAX_CLIENTS + 1);
        let counts = Counts { started_at: Instant::now(), clients };
        let verb = match enforcement {
            Enforcement::Enforced => "rejected",
            Enforcement::DryRun => "would be rejected",
        };
        Self { period, verb, identification, counts: Mutex::new(counts) }
    }

    /// Counts a rejection, and logs it if it is the client's first in this period.
    pub(crate) fn record(&self, rejection: &Rejection) {
        let mut counts = lock(&self.counts);
        let is_counted = counts.clients.contains_key(&rejection.client);
        let key = rejection.client.filter(|_| is_counted || counts.clients.len() < MAX_CLIENTS);
        let count = counts.clients.entry(key).or_default();
        *count += 1;
        let is_first = *count == 1;
        drop(counts);
        if is_first {
            log::warn!("{}", self.first_line(key, rejection));
        }
    }

    /// How many times this client was rejected in the current period.
    pub(crate) fn count(&self, client: IpAddr) -> u64 {
        lock(&self.counts).clients.get(&Some(client)).copied().unwrap_or(0)
    }

    /// The clients that were rejected in the current period, without those that are counted together.
    pub(crate) fn clients(&self) -> Vec<IpAddr> {
        lock(&self.counts).clients.keys().copied().flatten().collect()
    }

    /// Logs the counts if the period has ended.
    pub(crate) fn report_if_due(&self, registry: &Registry) {
        let elapsed = lock(&self.counts).started_at.elapsed();
        if elapsed >= self.period {
            self.report(registry);
        }
    }

    /// Logs the counts, and begins a new period.
    pub(crate) fn report(&self, registry: &Registry) {
        for line in self.end_period(registry) {
            log::warn!("{line}");
        }
    }

    fn first_line(&self, client: Option<IpAddr>, rejection: &Rejection) -> String {
        let Rejection { scope, limit, .. } = rejection;
        format!("{}: {}, over the {scope} limit of {limit}", self.name(client), self.verb)
    }

    /// Begins a new period, and returns a line for each client that was rejected repeatedly in the last one.
    fn end_period(&self, registry: &Registry) -> Vec<String> {
        let mut counts = lock(&self.counts);
        let elapsed = counts.started_at.elapsed().as_secs_f64();
        let repeated: Vec<_> = counts.clients.drain().filter(|(_, count)| *count > 1).collect();
        counts.started_at = Instant::now();
        drop(counts);
        let line = |(client, count)| {
            let Activity { active, idle } = registry.activity(client);
            format!(
                "{}: {count} {} in {elapsed:.0} s, holding {}: {active} active, {idle} idle",
                self.name(client),
                self.verb,
                active + idle,
            )
        };
        repeated.into_iter().map(line).collect()
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
            log.record(&rejection(Some(client)));
        }
        assert_eq!(log.count(client), 412);
        log.report_if_due(&Registry::default());
        assert_eq!(log.count(client), 0, "logged and reset");
        assert!(log.clients().is_empty());
    }

    #[test]
    fn the_first_rejection_has_a_line_at_once_and_repeated_ones_have_one_at_the_end() {
        let period = Duration::from_secs(60);
        let log = RejectionLog::new(period, Enforcement::Enforced, Identification::default());
        let [once, twice] = [1, 2].map(|host| Some(IpAddr::from([127, 0, 0, host])));
        for client in [once, twice, twice] {
            log.record(&rejection(client));
        }
        let first = "127.0.0.1: rejected, over the per-client limit of 12";
        assert_eq!(log.first_line(once, &rejection(once)), first);
        let first = "other clients: rejected, over the per-client limit of 12";
        assert_eq!(log.first_line(None, &rejection(None)), first);
        let lines = log.end_period(&Registry::default());
        let [line] = &lines[..] else { panic!("one line is expected: {lines:?}") };
        assert!(line.starts_with("127.0.0.2: 2 rejected in "), "{line}");
        assert!(line.ends_with(" s, holding 0: 0 active, 0 idle"), "{line}");
    }

    #[test]
    fn an_attack_from_many_addresses_takes_no_memory() {
        let log = RejectionLog::new(
            Duration::from_secs(60),
            Enforcement::DryRun,
            Identification::default(),
        );
        for number in 0..5_000_u32 {
            let client = IpAddr::from((0x7f00_0000 + number).to_be_bytes());
            log.record(&rejection(Some(client)));
        }
        log.report_if_due(&Registry::default());
        let counts = lock(&log.counts);
        assert_eq!(counts.clients.len(), MAX_CLIENTS + 1, "the period has not ended");
        assert_eq!(counts.clients[&None], 5_000 - MAX_CLIENTS as u64);
    }
}
