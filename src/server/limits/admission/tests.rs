//! Admission, the limit that rejects, and the release of every slot.

use std::collections::VecDeque;
use std::thread;

use super::*;
use crate::server::limits::client::Location;

fn admission(per_client: usize, total: usize) -> Arc<Admission> {
    Admission::new(Limits { per_client, total }, Arc::new(ClientTable::new(total)))
}

fn client(text: &str) -> Client {
    client_at(text.parse().unwrap())
}

fn client_at(address: IpAddr) -> Client {
    Client { key: address, address, exempt: false, location: Location::Elsewhere }
}

/// Connections and clients.
fn occupancy(admission: &Admission) -> (usize, usize) {
    let Occupancy { connections, clients, .. } = admission.occupancy();
    (connections, clients)
}

fn scope_and_limit(rejected: Result<Permit, Rejection>) -> (Scope, usize) {
    let rejection = rejected.unwrap_err();
    (rejection.scope, rejection.limit)
}

#[test]
fn the_clients_own_limit_comes_before_the_total() {
    let admission = admission(2, 3);
    let (one, two) = (client("127.0.0.1"), client("127.0.0.2"));
    let _held: Vec<Permit> =
        [one, one, two].into_iter().map(|client| admission.admit(client).unwrap()).collect();
    assert_eq!(scope_and_limit(admission.admit(one)), (Scope::Client, 2));
    assert_eq!(scope_and_limit(admission.admit(two)), (Scope::Total, 3));
    assert_eq!(scope_and_limit(admission.admit_unidentified()), (Scope::Total, 3));
    assert_eq!(occupancy(&admission), (3, 2));
    assert_eq!(admission.held_by(one.key), Held { client: 2, total: 3, is_waited_for: false });
}

#[test]
fn the_map_of_clients_does_not_grow_while_they_come_and_go() {
    for total in [1, 60, 1000] {
        let admission = admission(1, total);
        let capacity = admission.clients.lock().capacity();
        let mut held = VecDeque::new();
        for number in 0..20_000_u32 {
            held.truncate(total - 1);
            let address = IpAddr::from(number.to_be_bytes());
            held.push_front(admission.admit(client_at(address)).unwrap());
        }
        assert!(admission.clients.lock().capacity() <= capacity, "{total}");
    }
}

#[test]
fn a_dropped_permit_gives_its_slot_back_and_a_client_without_one_is_forgotten() {
    let admission = admission(1, 1);
    for _ in 0..3 {
        let permit = admission.admit(client("127.0.0.1")).unwrap();
        assert!(admission.admit(client("127.0.0.1")).is_err());
        drop(permit);
        assert_eq!(occupancy(&admission), (0, 0));
    }
}

#[test]
fn an_exempt_client_is_bound_by_the_total_alone() {
    let admission = admission(1, 3);
    let exempt = Client { exempt: true, ..client("127.0.0.1") };
    let held: Vec<Permit> = (0..3).map(|_| admission.admit(exempt).unwrap()).collect();
    assert_eq!(scope_and_limit(admission.admit(exempt)), (Scope::Total, 3));
    drop(held);
    assert_eq!(occupancy(&admission), (0, 0));
}

#[test]
fn a_client_that_becomes_known_later_takes_its_slot_then() {
    let admission = admission(1, 3);
    let one = client("127.0.0.1");
    let mut first = admission.admit_unidentified().unwrap();
    let mut second = admission.admit_unidentified().unwrap();
    assert_eq!(occupancy(&admission), (2, 0));
    assert_eq!(first.identify(one), Ok(()));
    let rejection = second.identify(one).unwrap_err();
    assert_eq!((rejection.scope, rejection.client), (Scope::Client, Some(one.key)));
    assert_eq!(occupancy(&admission), (2, 1));
    drop(second);
    assert_eq!(occupancy(&admission), (1, 1));
    let mut third = admission.admit_unidentified().unwrap();
    assert!(third.identify(one).is_err());
    third.identify_regardless(one);
    assert_eq!(admission.held_by(one.key), Held { client: 2, total: 2, is_waited_for: false });
    drop((first, third));
    assert_eq!(occupancy(&admission), (0, 0));
}

#[test]
fn connections_admitted_regardless_are_counted() {
    let admission = admission(1, 1);
    let held: Vec<Permit> =
        (0..3).map(|_| admission.admit_regardless(Some(client("127.0.0.1")))).collect();
    assert_eq!(occupancy(&admission), (3, 1));
    let mut unidentified = admission.admit_regardless(None);
    assert_eq!(occupancy(&admission), (4, 1));
    unidentified.identify(client("127.0.0.2")).unwrap();
    assert_eq!(occupancy(&admission), (4, 2));
    drop((held, unidentified));
    assert_eq!(occupancy(&admission), (0, 0));
}

#[test]
fn the_reserve_is_beyond_the_total_and_small() {
    let admission = admission(1, 1);
    let held = admission.admit(client("127.0.0.1")).unwrap();
    let rejection = admission.admit(client("127.0.0.1")).unwrap_err();
    let reserved: Vec<Permit> =
        (0..RESERVE_SLOTS).map(|_| admission.admit_to_reserve(rejection).unwrap()).collect();
    assert!(admission.admit_to_reserve(rejection).is_none());
    assert_eq!((held.rejection(), reserved[0].rejection()), (None, Some(rejection)));
    assert_eq!(occupancy(&admission), (1, 1));
    drop(reserved);
    assert!(admission.admit_to_reserve(rejection).is_some());
    assert_eq!(occupancy(&admission), (1, 1));
}

#[test]
fn the_expected_wait_follows_how_long_connections_are_held() {
    let mut clients = Clients::default();
    let wait = |clients: &Clients| rejection(clients, None, Scope::Client, 10).expected_wait;
    assert_eq!(wait(&clients), Duration::ZERO);
    for _ in 0..200 {
        clients.totals.held += 1;
        release(&mut clients, None, Duration::from_secs(30));
    }
    let settled = wait(&clients).as_secs_f64();
    assert!((2.99..=3.0).contains(&settled), "{settled}");
}

#[test]
fn many_threads_never_hold_more_than_the_limits_and_leave_nothing_behind() {
    let admission = admission(3, 5);
    thread::scope(|scope| {
        for number in 0..8_u8 {
            let admission = &admission;
            scope.spawn(move || {
                let client = client_at(IpAddr::from([127, 0, 0, number % 3 + 1]));
                for _ in 0..2_000 {
                    let permit = admission.admit(client);
                    assert!(admission.occupancy().connections <= 5);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(occupancy(&admission), (0, 0));
}

#[test]
fn a_panic_gives_the_slot_back_exactly_once() {
    let admission = admission(1, 1);
    let held = Arc::clone(&admission);
    let panicked = thread::spawn(move || {
        let _permit = held.admit(client("127.0.0.1")).unwrap();
        panic!("a panic on purpose, with a permit in hand");
    });
    assert!(panicked.join().is_err());
    assert_eq!(occupancy(&admission), (0, 0));
}
