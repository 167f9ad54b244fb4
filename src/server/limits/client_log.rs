//! Logs what clients are refused: at most two lines for each client, event and period.
//!
//! An attack causes thousands of rejections a second, and a line for each would fill the disk. The first of a
//! client in a period is logged at once, so that the operator sees when it begins; the number of all is
//! logged at the end of the period.

use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::admission::Enforcement;
use super::client::{Client, Identification};
use super::client_event::{ClientEvent, EventCounts};
use super::client_table::{ClientTable, MAX_LOGGED_CLIENTS};
use super::registry::{Activity, Registry};
use super::rejection::Rejection;
use crate::lock::lock;
use crate::printable::Escaped;

/// Most clients that are counted for anything but wrong passwords. Others have room beside them: a client whose
/// wrong passwords were not counted would not be slowed down.
const MAX_LOGGED_WITHOUT_PASSWORDS: usize = MAX_LOGGED_CLIENTS * 3 / 4;

/// Counts the events of each client, and logs them.
#[derive(Debug)]
pub(crate) struct ClientLog {
    period: Duration,
    /// For connections over a limit: rejected, or would be rejected.
    rejected: &'static str,
    identification: Identification,
    /// Each client's events.
    table: Arc<ClientTable>,
    /// Locked before the table.
    current: Mutex<Period>,
}

/// The current period.
#[derive(Debug)]
struct Period {
    started_at: Instant,
    /// The clients with events in it, at most [`MAX_LOGGED_CLIENTS`]. There is room for all from the start: if
    /// it grew in an attack, it would be allocated in the heap of a connection's thread, and keep it from
    /// shrinking.
    clients: Vec<IpAddr>,
    /// Events of unknown clients, and of those beyond the bound.
    others: EventCounts,
}

impl ClientLog {
    pub(crate) fn new(
        period: Duration,
        enforcement: Enforcement,
        identification: Identification,
        table: Arc<ClientTable>,
    ) -> Self {
        let clients = Vec::with_capacity(MAX_LOGGED_CLIENTS);
        let others = EventCounts::default();
        let current = Mutex::new(Period { started_at: Instant::now(), clients, others });
        let rejected = match enforcement {
            Enforcement::Enforced => "rejected",
            Enforcement::DryRun => "would be rejected",
        };
        Self { period, rejected, identification, table, current }
    }

    /// Counts a rejection, and logs it if it is the client's first in this period.
    pub(crate) fn record_rejection(&self, rejection: &Rejection) {
        log(self.count_rejection(rejection));
    }

    /// Counts a connection from an address that is not let in, and logs it if it is the client's first in this
    /// period.
    pub(crate) fn record_denial(&self, client: &Client) {
        log(self.count_denial(client));
    }

    /// Counts a wrong password, and logs it if it is the client's first in this period. `user` is `None` if there
    /// is no such user.
    pub(crate) fn record_wrong_password(&self, client: IpAddr, user: Option<&str>) {
        log(self.count_wrong_password(client, user));
    }

    fn count_rejection(&self, rejection: &Rejection) -> Option<String> {
        let Rejection { client, scope, limit, .. } = rejection;
        self.count(ClientEvent::Rejected, *client, || {
            format!("{}, over the {scope} limit of {limit}", self.rejected)
        })
    }

    fn count_denial(&self, client: &Client) -> Option<String> {
        let text = || format!("denied, as {} is not let in", client.address);
        self.count(ClientEvent::Denied, Some(client.key), text)
    }

    fn count_wrong_password(&self, client: IpAddr, user: Option<&str>) -> Option<String> {
        self.count(ClientEvent::WrongPassword, Some(client), || match user {
            Some(user) => format!("wrong password for {}", Escaped(user.as_bytes())),
            None => "wrong password for an unknown user".to_owned(),
        })
    }

    /// Counts an event, and returns its line if it is the client's first in this period.
    fn count(
        &self,
        event: ClientEvent,
        client: Option<IpAddr>,
        text: impl FnOnce() -> String,
    ) -> Option<String> {
        let mut current = lock(&self.current);
        let counted = client.and_then(|client| self.count_client(&mut current, client, event));
        let (client, count) = counted.unwrap_or_else(|| (None, current.others.increment(event)));
        drop(current);
        (count == 1).then(|| format!("{}: {}", self.name(client), text()))
    }

    /// Counts an event of this client, and returns the client and the number; `None` if too many others are
    /// counted.
    fn count_client(
        &self,
        current: &mut Period,
        client: IpAddr,
        event: ClientEvent,
    ) -> Option<(Option<IpAddr>, u64)> {
        self.table.lock().update(client, |state| {
            if state.events.are_zero() {
                let bound = match event {
                    ClientEvent::WrongPassword => MAX_LOGGED_CLIENTS,
                    ClientEvent::Rejected | ClientEvent::Denied => MAX_LOGGED_WITHOUT_PASSWORDS,
                };
                if current.clients.len() >= bound {
                    return None;
                }
                current.clients.push(client);
            }
            Some((Some(client), state.events.increment(event)))
        })
    }

    /// The events of this client in the current period.
    pub(crate) fn events(&self, client: IpAddr) -> EventCounts {
        self.table.lock().get(client).map_or_else(EventCounts::default, |state| state.events)
    }

    /// The clients with events in the current period, without those that are counted together.
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

    /// Begins a new period, and returns a line for each client and event that was repeated in the last one.
    fn end_period(&self, registry: &Registry) -> Vec<String> {
        let mut current = lock(&self.current);
        let elapsed = current.started_at.elapsed();
        let mut counts = vec![(None, mem::take(&mut current.others))];
        let mut table = self.table.lock();
        for client in current.clients.drain(..) {
            let events = table.update(client, |state| mem::take(&mut state.events));
            counts.push((Some(client), events));
        }
        drop(table);
        current.started_at = Instant::now();
        drop(current);
        let mut lines = Vec::new();
        for (client, events) in counts {
            for event in ClientEvent::ALL {
                let count = events.get(event);
                if count > 1 {
                    lines.push(self.last_line(client, event, count, elapsed, registry));
                }
            }
        }
        lines
    }

    fn last_line(
        &self,
        client: Option<IpAddr>,
        event: ClientEvent,
        count: u64,
        elapsed: Duration,
        registry: &Registry,
    ) -> String {
        let (name, seconds) = (self.name(client), elapsed.as_secs_f64());
        match event {
            ClientEvent::Rejected => {
                let (rejected, Activity { active, idle }) =
                    (self.rejected, registry.activity(client));
                let held = active + idle;
                format!(
                    "{name}: {count} {rejected} in {seconds:.0} s, holding {held}: {active} active, \
                     {idle} idle"
                )
            }
            ClientEvent::Denied => format!("{name}: {count} denied in {seconds:.0} s"),
            ClientEvent::WrongPassword => {
                format!("{name}: {count} wrong passwords in {seconds:.0} s")
            }
        }
    }

    fn name(&self, client: Option<IpAddr>) -> String {
        client.map_or_else(|| "other clients".to_owned(), |key| self.identification.name(key))
    }
}

fn log(line: Option<String>) {
    if let Some(line) = line {
        log::warn!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::limits::rejection::Scope;

    fn rejection(client: Option<IpAddr>) -> Rejection {
        Rejection { client, scope: Scope::Client, limit: 12, expected_wait: Duration::ZERO }
    }

    fn log(period: Duration, enforcement: Enforcement) -> ClientLog {
        let table = Arc::new(ClientTable::new(60));
        ClientLog::new(period, enforcement, Identification::default(), table)
    }

    #[test]
    fn rejections_are_counted_by_client_until_their_period_ends() {
        let log = log(Duration::ZERO, Enforcement::Enforced);
        let client = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..412 {
            log.record_rejection(&rejection(Some(client)));
        }
        assert_eq!(log.events(client).get(ClientEvent::Rejected), 412);
        log.report_if_due(&Registry::default());
        assert_eq!(log.events(client).get(ClientEvent::Rejected), 0, "logged and reset");
        assert!(log.clients().is_empty());
        assert_eq!(log.table.lock().count(), 0, "nothing else is known of the client");
    }

    #[test]
    fn the_first_rejection_has_a_line_at_once_and_repeated_ones_have_one_at_the_end() {
        let period = Duration::from_secs(60);
        let log = log(period, Enforcement::Enforced);
        let [once, twice] = [1, 2].map(|host| Some(IpAddr::from([127, 0, 0, host])));
        let first = |client| log.count_rejection(&rejection(client));
        let line = "127.0.0.1: rejected, over the per-client limit of 12";
        assert_eq!(first(once).as_deref(), Some(line));
        let line = "other clients: rejected, over the per-client limit of 12";
        assert_eq!(first(None).as_deref(), Some(line));
        assert!(first(twice).is_some());
        assert_eq!(first(twice), None);
        let lines = log.end_period(&Registry::default());
        let [line] = &lines[..] else { panic!("one line is expected: {lines:?}") };
        assert!(line.starts_with("127.0.0.2: 2 rejected in "), "{line}");
        assert!(line.ends_with(" s, holding 0: 0 active, 0 idle"), "{line}");
    }

    #[test]
    fn each_event_has_lines_of_its_own() {
        let log = log(Duration::from_secs(60), Enforcement::Enforced);
        let client = Identification::default().client("2001:db8::9".parse().unwrap());
        log.record_rejection(&rejection(Some(client.key)));
        let line = "2001:db8::/64: denied, as 2001:db8::9 is not let in";
        assert_eq!(log.count_denial(&client).as_deref(), Some(line));
        assert_eq!(log.count_denial(&client), None);
        let line = "2001:db8::/64: wrong password for al\\x1bice";
        assert_eq!(log.count_wrong_password(client.key, Some("al\x1bice")).as_deref(), Some(line));
        assert_eq!(log.count_wrong_password(client.key, None), None);
        let other = IpAddr::from([192, 0, 2, 1]);
        let line = "192.0.2.1: wrong password for an unknown user";
        assert_eq!(log.count_wrong_password(other, None).as_deref(), Some(line));
        assert_eq!(log.clients(), [client.key, other], "each is listed once");
        let lines = log.end_period(&Registry::default());
        let expected = ["2 denied in 0 s", "2 wrong passwords in 0 s"];
        assert_eq!(lines, expected.map(|text| format!("2001:db8::/64: {text}")));
    }

    #[test]
    fn an_attack_from_many_addresses_takes_no_memory() {
        let log = log(Duration::from_secs(60), Enforcement::DryRun);
        let capacity = log.table.lock().capacity();
        for number in 0..5_000_u32 {
            let client = IpAddr::from((0x7f00_0000 + number).to_be_bytes());
            log.record_rejection(&rejection(Some(client)));
        }
        log.report_if_due(&Registry::default());
        assert_eq!(log.table.lock().count(), MAX_LOGGED_WITHOUT_PASSWORDS);
        // They leave room for those that guess passwords.
        let guesser = |number: u32| IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        for number in 0..5_000 {
            log.record_wrong_password(guesser(number), None);
        }
        assert_eq!(log.events(guesser(0)).get(ClientEvent::WrongPassword), 1);
        assert_eq!(log.table.lock().capacity(), capacity);
        assert_eq!(log.table.lock().count(), MAX_LOGGED_CLIENTS);
        let current = lock(&log.current);
        assert_eq!(current.clients.len(), MAX_LOGGED_CLIENTS, "the period has not ended");
        assert_eq!(current.clients.capacity(), MAX_LOGGED_CLIENTS);
        let [rejections, wrong_passwords] = [ClientEvent::Rejected, ClientEvent::WrongPassword]
            .map(|event| current.others.get(event));
        assert_eq!(rejections, 5_000 - MAX_LOGGED_WITHOUT_PASSWORDS as u64);
        assert_eq!(rejections + wrong_passwords, 10_000 - MAX_LOGGED_CLIENTS as u64);
    }
}
