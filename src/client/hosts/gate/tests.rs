//! Admission, waiting and keeping, over connections to a listener on loopback.

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::client::settings::Timeouts;
use crate::client::settings::proxies::Proxies;
use crate::client::stop::StopReason;
use crate::client::transport::connect::Connector;
use crate::client::trust::Trust;

const SHORT: Duration = Duration::from_secs(59);
const MAX_WAIT: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(61);

/// After this time a test fails instead of waiting.
const DEADLINE: Duration = Duration::from_secs(20);

fn url(host: &str) -> Url {
    Url::parse(&format!("http://{host}/")).unwrap()
}

/// Gates of a run with a job for each of these hosts.
fn gates(hosts: &[&str], per_host: usize, idle: usize) -> HostGates {
    let keys = hosts.iter().map(|host| key_of(&url(host)).into());
    let retry = RetryPolicy { max_wait: MAX_WAIT, ..RetryPolicy::default() };
    let limits = GateLimits { per_host, idle, retry };
    let mut gates = HostGates::new(Queue::new(keys, 10), limits, Stop::default());
    // A missed wake-up makes a test fail.
    gates.poll_interval = Duration::from_secs(3600);
    gates
}

fn assignment(gates: &HostGates) -> Assignment<'_> {
    gates.next_assignment().expect("a job is left")
}

fn admission<'g>(gates: &'g HostGates, host: &str) -> AdmittedRequest<'g> {
    gates.admission(&url(host), &mut Phases::default()).unwrap()
}

fn connection() -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (trust, proxies) = (Trust::default(), Proxies::default());
    let connector = Connector::new(Timeouts::default(), trust, proxies, Stop::default());
    connector.connect(&url, &mut Phases::default()).unwrap()
}

/// Keeps a connection to this host, which has accepted it.
fn keep(gates: &HostGates, host: &str) {
    let mut permit = admission(gates, host).permit;
    permit.record_accepted(None, None);
    permit.keep(connection());
}

/// Runs `work`, which must wait until `change` is made, and must be woken by it.
fn woken_by<T: Send>(
    gates: &HostGates,
    work: impl FnOnce() -> T + Send,
    change: impl FnOnce(),
) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || sender.send(work()).unwrap());
        let deadline = Instant::now() + DEADLINE;
        while waiting(gates) == 0 {
            assert!(Instant::now() < deadline, "it does not wait");
            thread::yield_now();
        }
        change();
        let result = receiver.recv_timeout(DEADLINE);
        if result.is_err() {
            // Ends the thread, for which the scope waits.
            gates.stop.stop(StopReason::Interrupted);
            gates.wake();
        }
        result.expect("it is woken")
    })
}

/// How many workers and requests wait.
fn waiting(gates: &HostGates) -> usize {
    let state = lock(&gates.state);
    state.waiting + state.hosts.iter().map(|(_, host)| host.waiting).sum::<usize>()
}

#[test]
fn a_host_at_its_limit_delays_only_its_own_jobs() {
    let gates = gates(&["a", "a", "b"], 1, 10);
    let first = assignment(&gates);
    let other = assignment(&gates);
    assert_eq!((first.ticket.index, other.ticket.index), (0, 2));
    let admission = first.admission.unwrap();
    assert!(admission.permit.is_for(&url("a")) && !admission.permit.is_for(&url("b")));
    drop(admission);
    assert_eq!(assignment(&gates).ticket.index, 1);
}

#[test]
fn a_request_waits_for_a_place_and_is_woken_when_there_is_one() {
    let gates = gates(&["a"], 1, 10);
    let first = admission(&gates, "a");
    let mut phases = Phases::default();
    woken_by(&gates, || drop(gates.admission(&url("a"), &mut phases).unwrap()), || drop(first));
    assert!(phases.waiting > Duration::ZERO, "{phases:?}");
}

#[test]
fn a_request_is_woken_when_a_connection_is_kept() {
    let gates = gates(&[], 1, 10);
    let mut first = admission(&gates, "a").permit;
    first.record_accepted(None, None);
    let (connection, change) = (connection(), first);
    let next = woken_by(&gates, || admission(&gates, "a").connection, || change.keep(connection));
    assert!(next.is_some());
}

#[test]
fn a_worker_waits_for_a_job_and_is_woken_when_there_is_one() {
    let gates = gates(&["a", "a"], 1, 10);
    let first = assignment(&gates);
    let index = woken_by(&gates, || assignment(&gates).ticket.index, || drop(first));
    assert_eq!(index, 1);
}

#[test]
fn a_worker_is_woken_by_a_shorter_delay() {
    let gates = gates(&["a", "b"], 1, 10);
    let (one, two) = (assignment(&gates), assignment(&gates));
    gates.delay(&one.ticket, Instant::now() + LONG);
    drop(one.admission);
    let Assignment { ticket, admission } = two;
    drop(admission);
    let change = || gates.delay(&ticket, Instant::now());
    assert_eq!(woken_by(&gates, || assignment(&gates).ticket.index, change), 1);
}

#[test]
fn a_worker_is_needed_for_each_queued_or_delayed_job() {
    let gates = gates(&["a"], 10, 10);
    let first = assignment(&gates);
    assert!(gates.next_assignment().is_none(), "the job has its worker");
    let until = Instant::now() + Duration::from_secs(1);
    gates.delay(&first.ticket, until);
    let change =
        || assert!(gates.next_assignment().is_none(), "one worker for a delayed job is enough");
    assert_eq!(woken_by(&gates, || assignment(&gates).ticket.index, change), 0);
    assert!(Instant::now() >= until);
}

#[test]
fn a_kept_connection_is_used_by_the_next_request_to_its_host() {
    let gates = gates(&[], 10, 10);
    keep(&gates, "a");
    assert!(admission(&gates, "b").connection.is_none());
    assert!(admission(&gates, "a").connection.is_some());
    assert!(admission(&gates, "a").connection.is_none(), "it was used");
}

#[test]
fn idle_connections_are_bounded_and_the_oldest_is_closed_first() {
    let gates = gates(&[], 10, 2);
    for host in ["a", "b", "c"] {
        keep(&gates, host);
    }
    let are_kept = ["a", "b", "c"].map(|host| admission(&gates, host).connection.is_some());
    assert_eq!(are_kept, [false, true, true]);
}

#[test]
fn idle_connections_beyond_a_lower_limit_are_closed() {
    let gates = gates(&[], 10, 10);
    let mut permits = [(); 3].map(|()| admission(&gates, "a").permit);
    for permit in &mut permits {
        permit.record_accepted(None, None);
    }
    for permit in permits {
        permit.keep(connection());
    }
    // One is in use, and one of the other two is left.
    admission(&gates, "a").permit.record_accepted(Some(2), None);
    let learnt = gates.learnt_limits();
    assert_eq!((learnt.len(), learnt[0].connections, learnt[0].rejections), (1, 2, 0));
    let admitted = [(); 2].map(|()| admission(&gates, "a").connection.is_some());
    assert_eq!(admitted, [true, false]);
}

#[test]
fn a_rejected_connection_is_kept_only_where_the_limit_has_room() {
    for (others, is_kept) in [(1, false), (2, true)] {
        let gates = gates(&[], 10, 10);
        let mut accepted: Vec<_> = (0..2).map(|_| admission(&gates, "a").permit).collect();
        for permit in &mut accepted {
            permit.record_accepted(None, None);
        }
        let mut rejected = admission(&gates, "a").permit;
        rejected.record_rejected(None, None);
        assert_eq!(gates.learnt_limits()[0].connections, 2);
        accepted.truncate(3 - others);
        rejected.keep(connection());
        drop(accepted);
        assert_eq!(admission(&gates, "a").connection.is_some(), is_kept, "{others}");
    }
}

#[test]
fn a_rejected_connection_that_is_kept_does_not_open_a_closed_host() {
    let gates = gates(&["a", "b"], 10, 10);
    let mut rejected = admission(&gates, "a").permit;
    rejected.record_rejected(None, Some(SHORT));
    rejected.keep(connection());
    assert_eq!(assignment(&gates).ticket.index, 1);
}

#[test]
fn a_rejection_holds_a_host_with_accepted_connections_unless_it_is_the_first_response() {
    for (is_first_response, index) in [(true, 0), (false, 1)] {
        let gates = gates(&["a", "b"], 10, 10);
        let [mut accepted, mut rejected] = [(); 2].map(|()| admission(&gates, "a").permit);
        accepted.record_accepted(None, None);
        accepted.keep(connection());
        if !is_first_response {
            rejected.record_accepted(None, None);
        }
        rejected.record_rejected(None, Some(SHORT));
        drop(rejected);
        assert_eq!(assignment(&gates).ticket.index, index, "{is_first_response}");
    }
}

#[test]
fn jobs_of_a_host_that_asks_for_a_longer_wait_fail_without_a_request() {
    for (wait, is_failure) in [(LONG, true), (SHORT, false)] {
        let gates = gates(&["a", "b"], 10, 10);
        let mut permit = admission(&gates, "a").permit;
        let opening = admission(&gates, "a");
        permit.record_rejected(None, Some(wait));
        permit.keep(connection());
        // An opening connection may be accepted.
        let mut state = lock(&gates.state);
        let decision = gates.decide(&mut state.hosts, "http://a", Instant::now());
        drop(state);
        assert!(matches!(decision, Decision::Wait(Some(_))), "{decision:?}");
        drop(opening);
        let next = assignment(&gates);
        assert_eq!(
            (next.ticket.index, next.admission.is_none()),
            (usize::from(!is_failure), is_failure)
        );
        if is_failure {
            let error = gates.admission(&url("a"), &mut Phases::default()).unwrap_err();
            let FetchError::RetryLater { status, was_asked, .. } = error else { panic!("{error}") };
            assert_eq!((status, was_asked), (Status::TOO_MANY_REQUESTS, false));
        }
        assert_eq!(gates.learnt_limits()[0].rejections, 1);
    }
}

#[test]
fn a_503_holds_all_requests_unless_it_asks_for_a_longer_wait() {
    for (wait, is_held) in [(None, false), (Some(MAX_WAIT), true), (Some(LONG), false)] {
        let gates = gates(&["a", "b"], 10, 10);
        admission(&gates, "a").permit.record_unavailable(wait);
        let next = assignment(&gates);
        assert_eq!(next.ticket.index, usize::from(is_held), "{wait:?}");
        assert!(next.admission.is_some() && gates.learnt_limits().is_empty());
    }
}

#[test]
fn after_a_stop_jobs_come_without_an_admission_and_requests_fail() {
    let gates = gates(&["a", "a"], 10, 10);
    let first = assignment(&gates);
    gates.delay(&first.ticket, Instant::now() + LONG);
    gates.stop.stop(StopReason::Interrupted);
    for index in 0..2 {
        let next = assignment(&gates);
        assert_eq!((next.ticket.index, next.admission.is_none()), (index, true));
    }
    assert!(gates.next_assignment().is_none());
    let error = gates.admission(&url("a"), &mut Phases::default()).unwrap_err();
    assert!(matches!(error, FetchError::Stopped(StopReason::Interrupted)), "{error}");
}

#[test]
fn a_stop_wakes_workers_and_requests_that_wait() {
    let gates = gates(&["a", "a"], 1, 10);
    let _first = assignment(&gates);
    let stop = || {
        gates.stop.stop(StopReason::Interrupted);
        gates.wake();
    };
    assert!(woken_by(&gates, || assignment(&gates).admission.is_none(), stop));
    let gates = self::gates(&[], 1, 10);
    let _first = admission(&gates, "a");
    let stop = || {
        gates.stop.stop(StopReason::Interrupted);
        gates.wake();
    };
    assert!(woken_by(&gates, || gates.admission(&url("a"), &mut Phases::default()).is_err(), stop));
}

#[test]
fn finished_jobs_and_servers_are_reported() {
    let gates = gates(&["a", "a", "b"], 10, 10);
    for (finished, name) in [(0, "x"), (1, "y"), (2, "x")] {
        assert_eq!(gates.finished_jobs(&url("a")), finished.min(2));
        let Assignment { ticket, admission } = assignment(&gates);
        admission.unwrap().permit.record_accepted(None, Some(name.as_bytes()));
        gates.finish_job(&ticket);
    }
    assert_eq!(gates.finished_jobs(&url("b")), 1);
    assert_eq!(gates.servers(), ["x"], "only the first of a host counts, and each name once");
}

#[test]
fn a_replaced_connection_is_opening_again() {
    let gates = gates(&[], 10, 10);
    keep(&gates, "a");
    let mut reused = admission(&gates, "a").permit;
    let load = |gates: &HostGates| {
        let load = lock(&gates.state).hosts.known("http://a").load;
        (load.in_use, load.opening, load.proven, load.idle)
    };
    assert_eq!(load(&gates), (1, 0, 1, 0));
    reused.reopen();
    assert_eq!(load(&gates), (1, 1, 0, 0));
    reused.record_accepted(None, None);
    assert_eq!(load(&gates), (1, 0, 1, 0));
    reused.record_rejected(None, None);
    assert_eq!(load(&gates), (1, 0, 0, 0));
    drop(reused);
    assert_eq!(load(&gates), (0, 0, 0, 0));
}

#[test]
fn a_lost_connection_lowers_the_window_of_its_host_alone() {
    let size = |gates: &HostGates, key| {
        lock(&gates.state).hosts.known(key).limit.opening.size(Instant::now())
    };
    for is_full in [false, true] {
        let gates = gates(&[], 10, 10);
        keep(&gates, "b");
        let mut lost = admission(&gates, "a").permit;
        if is_full {
            lost.record_unavailable(Some(SHORT));
        } else {
            lost.record_lost();
        }
        assert_eq!((size(&gates, "http://a"), size(&gates, "http://b")), (5, 4), "{is_full}");
    }
}
