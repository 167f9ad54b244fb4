//! Tests of the registry: the removal and the closing of connections, and the release of their slots.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;
use crate::server::limits::admission::{Admission, Limits, Occupancy};
use crate::server::limits::client::Location;
use crate::server::limits::client_table::ClientTable;
use crate::server::limits::rejection::{Rejection, Scope};
use crate::server::test_wait::wait_until;

struct Setting {
    admission: Arc<Admission>,
    registry: Arc<Registry>,
    listener: TcpListener,
}

impl Setting {
    fn new() -> Self {
        Self {
            admission: Admission::new(
                Limits { per_client: 9, total: 9 },
                Arc::new(ClientTable::new(9)),
            ),
            registry: Arc::default(),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn enter(&self, host: u8, phase: Phase) -> (Registration, TcpStream) {
        self.enter_with(host, phase, |client| self.admission.admit(client).ok())
    }

    fn enter_with(
        &self,
        host: u8,
        phase: Phase,
        admit: impl FnOnce(Client) -> Option<Permit>,
    ) -> (Registration, TcpStream) {
        let peer = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let stream = Arc::new(self.listener.accept().unwrap().0);
        let key = IpAddr::from([127, 0, 0, host]);
        let client = Client { key, address: key, exempt: false, location: Location::ThisMachine };
        let permit = admit(client).unwrap();
        let registration = self.registry.register(client, stream, permit);
        assert!(registration.entry.enter(phase));
        (registration, peer)
    }
}

#[test]
fn an_entry_leaves_with_its_connection_and_gives_the_slot_back() {
    let setting = Setting::new();
    let (one, _peer) = setting.enter(1, Phase::Sending);
    let (two, _peer) = setting.enter(1, Phase::Idle);
    let client = Some(one.entry.client.key);
    let active = |client| (setting.registry.activity(client).active, setting.registry.active());
    assert_eq!(active(client), (1, 1));
    assert_eq!(setting.registry.activity(None), Activity { active: 1, idle: 1 });
    let mut ids: Vec<u64> = setting.registry.entries().iter().map(|entry| entry.id).collect();
    ids.sort_unstable();
    assert_eq!((ids, setting.registry.count()), (vec![1, 2], 2));
    two.entry.enter(Phase::Reading);
    two.entry.enter(Phase::Sending);
    assert_eq!(active(client), (2, 2));
    drop(one);
    assert_eq!(active(client), (1, 1));
    two.entry.enter(Phase::Idle);
    assert_eq!(active(client), (0, 0));
    assert_eq!(setting.registry.activity(client), Activity { active: 0, idle: 1 });
    drop(two);
    assert_eq!(setting.registry.count(), 0);
    assert_eq!(setting.admission.occupancy(), Occupancy { connections: 0, clients: 0, waiting: 0 });
    assert!(lock(&setting.registry.clients).is_empty());
}

#[test]
fn the_oldest_idle_connection_is_reclaimed_and_no_other() {
    let setting = Setting::new();
    let (_fresh, _peer) = setting.enter(1, Phase::Fresh);
    let (_busy, _peer) = setting.enter(1, Phase::Sending);
    let (oldest, _peer) = setting.enter(1, Phase::Idle);
    wait_until("one is older", || oldest.entry.opened_at.elapsed() >= Duration::from_millis(5));
    let (newer, _peer) = setting.enter(1, Phase::Idle);
    let client = Some(oldest.entry.client.key);
    assert!(setting.registry.reclaim(Some(IpAddr::from([127, 0, 0, 2])), None).is_none());
    let permit = setting.registry.reclaim(client, None).expect("one is idle");
    let mut stream = &*oldest.entry.stream;
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "its thread sees the end");
    assert!(!oldest.entry.enter(Phase::Reading), "it has no more requests");
    assert!(newer.entry.enter(Phase::Reading), "it was left alone");
    assert!(setting.registry.reclaim(client, None).is_none(), "nobody is idle any more");
    assert_eq!(
        setting.admission.occupancy().connections,
        4,
        "the slot is handed on, not given back"
    );
    drop(oldest);
    assert_eq!(setting.admission.occupancy().connections, 4, "and not given back twice");
    drop(permit);
    assert_eq!(setting.admission.occupancy().connections, 3);
}

#[test]
fn the_age_of_a_connection_does_not_count_but_how_long_it_is_idle() {
    let setting = Setting::new();
    let (older, _peer) = setting.enter(1, Phase::Sending);
    let (idle, _peer) = setting.enter(1, Phase::Idle);
    wait_until("it is idle for a while", || idle.entry.in_phase() >= Duration::from_millis(5));
    older.entry.enter(Phase::Idle);
    assert!(setting.registry.reclaim(None, None).is_some());
    assert_eq!((idle.entry.phase(), older.entry.phase()), (Phase::Closing, Phase::Idle));
}

#[test]
fn a_connection_that_has_sent_nothing_is_reclaimed_once_it_was_silent_for_long() {
    let setting = Setting::new();
    let (first, _peer) = setting.enter(1, Phase::Fresh);
    let client = Some(first.entry.client.key);
    let reclaim = |silence| setting.registry.reclaim(client, silence);
    assert!(reclaim(None).is_none());
    assert!(reclaim(Some(Duration::from_secs(3600))).is_none());
    assert!(reclaim(Some(Duration::ZERO)).is_some());
    assert!(reclaim(Some(Duration::ZERO)).is_none());
    assert_eq!(first.entry.phase(), Phase::Closing);
}

#[test]
fn of_a_request_a_bounded_part_is_kept() {
    let setting = Setting::new();
    let (registration, _peer) = setting.enter(1, Phase::Reading);
    let entry = &registration.entry;
    assert_eq!(entry.request(), "");
    for (target_bytes, kept_bytes) in [(1, 5), (1019, 1023), (1020, 1024), (1021, 1024)] {
        entry.record_request(b"GET", &vec![b'/'; target_bytes]);
        let request = entry.request();
        assert!(request.starts_with("GET /"), "{request}");
        assert_eq!(request.len(), kept_bytes);
    }
}

#[test]
fn of_the_reserve_the_silent_leave_first_and_then_the_late() {
    let setting = Setting::new();
    let admit_to_reserve = || {
        let expected_wait = Duration::ZERO;
        let rejection = Rejection { client: None, scope: Scope::Total, limit: 9, expected_wait };
        setting.admission.admit_to_reserve(rejection)
    };
    let in_reserve = |phase| setting.enter_with(1, phase, |_| admit_to_reserve());
    let (_other, _peer) = setting.enter(1, Phase::Fresh);
    let (sending, mut sending_peer) = in_reserve(Phase::Sending);
    let (silent, mut silent_peer) = in_reserve(Phase::Fresh);
    assert!(admit_to_reserve().is_none());
    let now = Instant::now();
    let permit = setting.registry.reclaim_reserve(now).expect("one is silent");
    assert!(!silent.entry.enter(Phase::Reading), "it is served no more");
    (&*silent.entry.stream).write_all(b"!").unwrap();
    assert_eq!(silent_peer.read(&mut [0]).unwrap(), 1, "but it can be told so");
    assert!(setting.registry.reclaim_reserve(now).is_none(), "the other is neither");
    drop(permit);
    let deadline = sending.entry.opened_at + RESERVE_TIME;
    assert!(setting.registry.reclaim_reserve(deadline).is_none(), "it still has its time");
    let permit = setting.registry.reclaim_reserve(deadline + Duration::from_nanos(1));
    assert!(permit.is_some(), "it is late by now");
    assert_eq!(sending_peer.read(&mut [0]).unwrap(), 0);
    drop((sending, silent, permit));
    assert_eq!((setting.registry.active(), setting.admission.occupancy().connections), (0, 1));
    let slots = [(); 2].map(|()| admit_to_reserve());
    assert!(slots.iter().all(Option::is_some), "each slot was given back once");
}

#[test]
fn a_connection_without_a_client_is_closed_as_idle_until_its_client_is_known() {
    let setting = Setting::new();
    let mut peers = Vec::new();
    let streams = [(); 2].map(|()| {
        let peer = TcpStream::connect(setting.listener.local_addr().unwrap()).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        peers.push(peer);
        Arc::new(setting.listener.accept().unwrap().0)
    });
    let [known, unknown] = streams.each_ref().map(|s| setting.registry.register_unidentified(s));
    drop(known);
    setting.registry.close_idle(Duration::from_secs(3600));
    setting.registry.close_idle(Duration::ZERO);
    assert_eq!(peers[1].read(&mut [0]).unwrap(), 0);
    (&*streams[0]).write_all(b"!").unwrap();
    assert_eq!(peers[0].read(&mut [0]).unwrap(), 1, "it was left open");
    setting.registry.close_all();
    (&*streams[0]).write_all(b"!").unwrap();
    drop(unknown);
    let unknown = setting.registry.register_unidentified(&streams[0]);
    setting.registry.close_all();
    assert_eq!(peers[0].read(&mut [0; 2]).unwrap(), 1);
    assert_eq!(peers[0].read(&mut [0]).unwrap(), 0, "it is closed with all others");
    drop(unknown);
}

#[test]
fn at_the_end_those_without_a_request_are_closed_first() {
    let setting = Setting::new();
    let (fresh, _peer) = setting.enter(1, Phase::Fresh);
    let (idle, _peer) = setting.enter(2, Phase::Idle);
    let (busy, mut busy_peer) = setting.enter(3, Phase::Sending);
    setting.registry.close_idle(Duration::ZERO);
    for closed in [fresh, idle] {
        let mut stream = &*closed.entry.stream;
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "its thread sees the end");
    }
    assert!(busy.entry.enter(Phase::Idle), "a transfer goes on");
    setting.registry.close_all();
    assert_eq!(busy_peer.read(&mut [0]).unwrap(), 0);
}

/// Closing the socket would reset the connection and lose the request.
#[test]
fn at_the_end_no_connection_is_closed_whose_request_has_come_or_may_be_on_its_way() {
    let setting = Setting::new();
    let grace = Duration::from_secs(3600);
    for phase in [Phase::Fresh, Phase::Idle] {
        let (asking, mut peer) = setting.enter(1, phase);
        peer.write_all(b"G").unwrap();
        asking.entry.stream.peek(&mut [0]).unwrap();
        let (silent, _peer) = setting.enter(2, phase);
        for (grace, silent_phase) in [
            (grace, if phase == Phase::Fresh { Phase::Fresh } else { Phase::Closing }),
            (Duration::ZERO, Phase::Closing),
        ] {
            setting.registry.close_idle(grace);
            assert_eq!((asking.entry.phase(), silent.entry.phase()), (phase, silent_phase));
        }
    }
    let mut peer = TcpStream::connect(setting.listener.local_addr().unwrap()).unwrap();
    let stream = Arc::new(setting.listener.accept().unwrap().0);
    let _unknown = setting.registry.register_unidentified(&stream);
    setting.registry.close_idle(grace);
    peer.write_all(b"P").unwrap();
    stream.peek(&mut [0]).unwrap();
    setting.registry.close_idle(Duration::ZERO);
    assert!((&*stream).write_all(b"!").is_ok(), "it was left open");
}
