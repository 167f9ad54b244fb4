//! The window as tables of counts and times, and against simulated hosts.

use super::*;

const CEILING: usize = 50;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A connection opened at this time whose first response took this long, to a host that is near.
fn answered(opened_at: Instant, took: Duration) -> Answered {
    Answered { opened_at, connect: millis(0), took }
}

/// A window after this number of first responses, each of which took as long, one after another.
fn after(count: usize, took: Duration, start: Instant) -> (OpeningWindow, Instant) {
    let mut window = OpeningWindow::new(CEILING);
    let mut now = start;
    for _ in 0..count {
        window.record_opened(now);
        now += took;
        window.record_answered(answered(now.checked_sub(took).unwrap(), took), now);
    }
    (window, now)
}

#[test]
fn five_are_opened_at_once_and_ten_after_three_milliseconds_without_a_response() {
    let start = Instant::now();
    for (elapsed, responses, size, grows) in
        [(0, 0, 5, true), (2, 0, 5, true), (3, 0, 10, false), (60_000, 0, 10, false)]
            .into_iter()
            .chain([(0, 1, 4, false), (2, 1, 4, false), (3, 1, 4, false)])
    {
        let mut window = OpeningWindow::new(CEILING);
        window.record_opened(start);
        for _ in 0..responses {
            window.record_answered(answered(start, millis(0)), start);
        }
        let now = start + millis(elapsed);
        assert_eq!(window.size(now), size, "{elapsed} ms, {responses} responses");
        assert_eq!(window.grows_at(now).is_some(), grows, "{elapsed} ms, {responses} responses");
    }
}

#[test]
fn half_as_many_as_were_answered_may_be_opening_while_the_responses_take_as_long() {
    for (count, size) in [(1, 4), (9, 4), (10, 5), (12, 6), (24, 12), (48, 24), (96, 48)] {
        let (window, now) = after(count, millis(20), Instant::now());
        assert_eq!(window.size(now), size, "{count}");
    }
}

#[test]
fn there_are_no_more_where_responses_are_quick() {
    let (window, now) = after(1000, millis(3), Instant::now());
    assert_eq!(window.size(now), 6);
    let (window, now) = after(1000, millis(4), Instant::now());
    assert_eq!(window.size(now), 96);
}

#[test]
fn a_host_that_advertises_its_limit_is_opened_at_once() {
    let now = Instant::now();
    let mut window = OpeningWindow::new(CEILING);
    window.record_opened(now);
    window.record_answered(answered(now, millis(1)), now);
    window.record_advertised();
    assert_eq!(window.size(now), CEILING);
    window.record_lost(now, now);
    assert_eq!(window.size(now), 4, "not after a loss");
}

#[test]
fn a_lost_connection_halves_the_window_and_those_opened_with_it_do_not() {
    let (mut window, start) = after(48, millis(20), Instant::now());
    assert_eq!(window.size(start), 24);
    let [opened, noticed] = [1000, 2000].map(|elapsed| start + millis(elapsed));
    for size in [12, 12] {
        window.record_lost(opened, noticed);
        assert_eq!(window.size(noticed), size);
    }
    for size in [6, 3, 2, 2] {
        window.record_lost(noticed, noticed);
        assert_eq!(window.size(noticed), size);
    }
}

#[test]
fn a_host_that_does_not_respond_keeps_five_until_the_first_response() {
    let (mut window, start) = (OpeningWindow::new(CEILING), Instant::now());
    window.record_opened(start);
    for second in 1..=4 {
        let now = start + millis(1000 * second);
        window.record_lost(now, now);
        assert_eq!(window.size(now), 5, "after {second} losses");
    }
    let now = start + millis(5000);
    window.record_answered(answered(now, millis(20)), now);
    assert_eq!(window.size(now), 2);
}

#[test]
fn after_a_loss_the_window_grows_one_at_a_time() {
    let (mut window, mut now) = after(48, millis(20), Instant::now());
    window.record_lost(now, now);
    let mut sizes = vec![window.size(now)];
    for _ in 0..40 {
        let opened_at = now;
        now += millis(20);
        window.record_answered(answered(opened_at, millis(20)), now);
        sizes.push(window.size(now));
    }
    sizes.dedup();
    assert_eq!(sizes, [12, 13, 14, 15, 16]);
}

#[test]
fn a_connect_that_repeated_its_syn_is_a_loss() {
    let start = Instant::now();
    for (fastest, connect, is_lost) in
        [(0, 899, false), (0, 900, true), (300, 1199, false), (300, 1200, true)]
    {
        let (mut window, now) = after(12, millis(20), start);
        window.fastest_connect = millis(fastest);
        let connection =
            Answered { opened_at: start, connect: millis(connect), took: millis(connect) };
        window.record_answered(connection, now);
        let expected = if is_lost { 3 } else { 6 };
        assert_eq!(window.size(now), expected, "{connect} ms after {fastest} ms");
    }
}

/// A simulated host that closes each connection after its response.
#[derive(Clone, Copy)]
enum Host {
    /// Serves one after another, each in this time.
    OneAfterAnother(Duration),
    /// Serves all at the same time.
    SideBySide(Duration),
}

/// Opens connections as fast as the window allows. Returns the most that were opening at a time, and how
/// long it took.
fn simulate(host: Host, connections: usize) -> (usize, Duration) {
    let start = Instant::now();
    let (mut now, mut free_at) = (start, start);
    let mut window = OpeningWindow::new(CEILING);
    // Pairs of the times of opening and response, in the order of both.
    let mut opening: Vec<(Instant, Instant)> = Vec::new();
    let (mut left, mut most) = (connections, 0);
    loop {
        while left > 0 && opening.len() < window.size(now).min(CEILING) {
            window.record_opened(now);
            let response = match host {
                Host::OneAfterAnother(time) => free_at.max(now) + time,
                Host::SideBySide(time) => now + time,
            };
            free_at = response;
            opening.push((now, response));
            left -= 1;
        }
        most = most.max(opening.len());
        let Some(&(opened_at, response)) = opening.first() else { return (most, now - start) };
        now = match window.grows_at(now) {
            Some(at) if at < response && left > 0 => at,
            _ => {
                opening.remove(0);
                window.record_answered(answered(opened_at, response - opened_at), response);
                response
            }
        };
    }
}

#[test]
fn a_listen_queue_of_five_does_not_overflow() {
    for micros in [10, 100, 500, 1000, 2000, 2900] {
        let host = Host::OneAfterAnother(Duration::from_micros(micros));
        let (most, _) = simulate(host, 5000);
        assert!(most <= 6, "{most} at {micros} µs");
    }
}

#[test]
fn a_host_that_serves_all_at_once_soon_has_all_connections() {
    for time in [5, 20, 200, 2000].map(millis) {
        let (most, took) = simulate(Host::SideBySide(time), 1000);
        assert_eq!(most, CEILING, "{time:?}");
        // At best there are twenty rounds of fifty.
        assert!(took <= 28 * time, "{took:?} of {time:?}");
    }
}
