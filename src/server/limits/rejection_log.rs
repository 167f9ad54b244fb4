//! Logs rejections: at most two lines for each client and period.
//!
//! An attack causes thousands of rejections a second, and a line for each would fill the disk. The first of a
//! client in a period is logged at once, so that the operator sees when it begins; the number of all is
//! logged at the end of the period.

use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::admission::Enforcement;
use super::client::Identification;
use super::client_table::{ClientTable, MAX_REJECTED_CLIENTS};
use super::registry::{Activity, Registry};
use super::rejection::Rejection;
use crate::lock::lock;

/// Counts rejections by client, and logs them.
#[derive(Debug)]
pub(crate) struct RejectionLog {
    period: Duration,
    /// For the log: rejected, or would be rejected.
    verb: &'static str,
    identification: Identification,
    /// Each client's rejections.
    table: Arc<ClientTable>,
    /// Locked before the table.
    current: Mutex<Period>,
}

/// The current period.
#[derive(Debug)]
struct Period {
    started_at: Instant,
    /// The clients that were rejected in it, at most [`MAX_REJECTED_CLIENTS`]. There is room for all from the
    /// start: if it grew in an attack, it would be allocated in the heap of a connection's thread, and keep it
    /// from shrinking.
    clients: Vec<IpAddr>,
    /// Rejections of unknown clients, and of those beyond the bound.
    others: u64,
}

impl RejectionLog {
    pub(crate) fn new(
        period: Duration,
        enforcement: Enforcement,
        identification: Identification,
        table: Arc<ClientTable>,
    ) -> Self {
        let clients = Vec::with_capacity(MAX_REJECTED_CLIENTS);
        let current = Mutex::new(Period { started_at: Instant::now(), clients, others: 0 });
        let verb = match enforcement {
            Enforcement::Enforced => "rejected",
            Enforcement::DryRun => "would be rejected",
        };
        Self { period, verb, identification, table, current }
    }

    /// Counts a rejection, and logs it if it is the client's first in this period.
    pub(crate) fn record(&self, rejection: &Rejection) {
        let mut current = lock(&self.current);
        let counted = rejection.client.and_then(|client| self.count_client(&mut current, client));
        let (client, count) = counted.unwrap_or_else(|| {
            current.others += 1;
            (None, current.others)
        });
        drop(current);
        if count == 1 {
            log::warn!("{}", self.first_line(client, rejection));
        }
    }

    /// Counts a rejection of this client, and returns the client and the number; `None` if too many others are
    /// counted.
    fn count_client(&self, current: &mut Period, client: IpAddr) -> Option<(Option<IpAddr>, u64)> {
        self.table.lock().update(client, |state| {
            if state.rejections == 0 {
                if current.clients.len() == MAX_REJECTED_CLIENTS {
                    return None;
                }
                current.clients.push(client);
            }
            state.rejections += 1;
            Some((Some(client), state.rejections))
        })
    }

    /// How many times this client was rejected in the current period.
    pub(crate) fn count(&self, client: IpAddr) -> u64 {
        self.table.lock().get(client).map_or(0, |state| state.rejections)
    }

    /// The clients that were rejected in the current period, without those that are counted together.
    pub(crate) fn clients(&self) -> Vec<IpAddr> {
        lock(&self.current).clients.clone()
    }

    /// Logs the counts if the period has ended.
    pub(crate) fn report_if_due(&self, registry: &Registry) {
        let elapsed = lock(&self.current).started_at.elapsed();
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
        let mut current = lock(&self.current);
        let elapsed = current.started_at.elapsed().as_secs_f64();
        let mut counts = vec![(None, mem::take(&mut current.others))];
        let mut table = self.table.lock();
        for client in current.clients.drain(..) {
            let count = table.update(client, |state| mem::take(&mut state.rejections));
            counts.push((Some(client), count));
        }
        drop(table);
        current.started_at = Instant::now();
        drop(current);
        let line = |(client, count)| {
            let Activity { active, idle } = registry.activity(client);
            format!(
                "{}: {count} {} in {elapsed:.0} s, holding {}: {active} active, {idle} idle",
                self.name(client),
                self.verb,
                active + idle,
            )
        };
        counts.into_iter().filter(|(_, count)| *count > 1).map(line).collect()
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

    fn log(period: Duration, enforcement: Enforcement) -> RejectionLog {
        let table = Arc::new(ClientTable::new(60));
        RejectionLog::new(period, enforcement, Identification::default(), table)
    }

    #[test]
    fn rejections_are_counted_by_client_until_their_period_ends() {
        let log = log(Duration::ZERO, Enforcement::Enforced);
        let client = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..412 {
            log.record(&rejection(Some(client)));
        }
        assert_eq!(log.count(client), 412);
        log.report_if_due(&Registry::default());
        assert_eq!(log.count(client), 0, "logged and reset");
        assert!(log.clients().is_empty());
        assert_eq!(log.table.lock().count(), 0, "nothing else is known of the client");
    }

    #[test]
    fn the_first_rejection_has_a_line_at_once_and_repeated_ones_have_one_at_the_end() {
        let period = Duration::from_secs(60);
        let log = log(period, Enforcement::Enforced);
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
        let log = log(Duration::from_secs(60), Enforcement::DryRun);
        let capacity = log.table.lock().capacity();
        for number in 0..5_000_u32 {
            let client = IpAddr::from((0x7f00_0000 + number).to_be_bytes());
            log.record(&rejection(Some(client)));
        }
        log.report_if_due(&Registry::default());
        assert_eq!(log.table.lock().capacity(), capacity);
        let current = lock(&log.current);
        assert_eq!(current.clients.len(), MAX_REJECTED_CLIENTS, "the period has not ended");
        assert_eq!(current.clients.capacity(), MAX_REJECTED_CLIENTS);
        assert_eq!(log.table.lock().count(), MAX_REJECTED_CLIENTS);
        assert_eq!(current.others, 5_000 - MAX_REJECTED_CLIENTS as u64);
    }
}
