//! Whose turn it is, who loses a place, and when a wait ends.

use std::net::IpAddr;
use std::time::Duration;

use super::*;

fn client(host: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, host])
}

/// Lines with these connections, which are named by client and number, a second apart.
fn lines(connections: &[(u8, u32)]) -> WaitingLines<IpAddr, (u8, u32)> {
    let (mut lines, now) = (WaitingLines::default(), Instant::now());
    for (index, connection) in (0..).zip(connections) {
        let deadline = now + Duration::from_secs(index);
        assert!(lines.add(client(connection.0), deadline, *connection, usize::MAX).is_none());
    }
    lines
}

/// All that go, in their order.
fn all(lines: &mut WaitingLines<IpAddr, (u8, u32)>) -> Vec<(u8, u32)> {
    std::iter::from_fn(|| lines.next(|_| true)).collect()
}

fn is_empty<T>(lines: &WaitingLines<IpAddr, T>) -> bool {
    let WaitingLines { lines, order, lengths, turns, last_number: _ } = lines;
    lines.is_empty() && order.is_empty() && lengths.is_empty() && turns.is_empty()
}

#[test]
fn clients_take_turns_and_within_a_client_the_first_comes_first() {
    let mut lines = lines(&[(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (2, 2)]);
    assert_eq!((lines.count(), lines.count_of(client(1)), lines.count_of(client(9))), (6, 3, 0));
    assert_eq!(all(&mut lines), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (1, 3)]);
    assert!(is_empty(&lines));
}

#[test]
fn a_client_that_may_not_go_is_passed_over_until_it_gets_another_turn() {
    let mut lines = lines(&[(1, 1), (2, 1), (1, 2)]);
    let not_one = |key| key != client(1);
    assert_eq!(lines.next(not_one), Some((2, 1)));
    assert_eq!(lines.next(not_one), None);
    assert_eq!(lines.next(|_| true), None, "it has no turn");
    lines.give_turn(client(1));
    lines.give_turn(client(1));
    lines.give_turn(client(2));
    assert_eq!(lines.turns.len(), 1, "one turn at a time, and none without a line");
    assert_eq!(all(&mut lines), [(1, 1), (1, 2)]);
    assert!(is_empty(&lines));
}

#[test]
fn a_new_connection_of_a_client_that_was_passed_over_gives_it_a_turn() {
    let mut lines = lines(&[(1, 1)]);
    assert_eq!(lines.next(|_| false), None);
    lines.add(client(1), Instant::now(), (1, 2), usize::MAX);
    assert_eq!(lines.next(|_| true).map(|(host, _)| host), Some(1));
}

#[test]
fn the_longest_line_loses_its_last_connection_and_the_newcomer_where_lines_are_equal() {
    for (waiting, newcomer, loser) in [
        (&[(1, 1), (1, 2), (2, 1)][..], (3, 1), (1, 2)),
        (&[(1, 1), (1, 2), (2, 1)], (1, 3), (1, 3)),
        (&[(2, 1), (2, 2), (1, 1)], (1, 2), (1, 2)),
        (&[(1, 1), (2, 1), (3, 1)], (4, 1), (4, 1)),
        (&[], (1, 1), (1, 1)),
    ] {
        let mut lines = lines(waiting);
        let deadline = Instant::now() + Duration::from_secs(60);
        let lost = lines.add(client(newcomer.0), deadline, newcomer, waiting.len());
        assert_eq!(lost, Some(loser), "{waiting:?} {newcomer:?}");
        assert_eq!(lines.count(), waiting.len());
        all(&mut lines);
        assert!(is_empty(&lines));
    }
}

#[test]
fn a_connection_keeps_its_place_by_when_its_wait_ends() {
    let mut lines = lines(&[(1, 1), (1, 2)]);
    let first = lines.deadline().unwrap();
    let earlier = first.checked_sub(Duration::from_millis(1)).unwrap();
    lines.add(client(1), earlier, (1, 0), usize::MAX);
    assert_eq!(lines.deadline(), Some(earlier));
    assert_eq!(lines.take_first(), Some((1, 0)));
    assert_eq!(lines.deadline(), Some(first));
    assert_eq!(lines.take_first(), Some((1, 1)));
    assert_eq!(lines.take_first(), Some((1, 2)));
    assert_eq!((lines.take_first(), lines.deadline()), (None, None));
    assert!(is_empty(&lines), "also the turn is gone");
}

#[test]
fn clients_that_come_and_go_leave_nothing_behind() {
    let mut lines = WaitingLines::default();
    let deadline = Instant::now();
    for round in 0..1000_u32 {
        let host = u8::try_from(round % 7).unwrap();
        lines.add(client(host), deadline, (host, round), 5);
        match round % 3 {
            0 => drop(lines.take_first()),
            1 => drop(lines.next(|key| key != client(3))),
            _ => lines.give_turn(client(host)),
        }
        assert!(lines.count() <= 5 && lines.turns.len() <= lines.lines.len());
        let lengths: usize = lines.lengths.iter().map(|(length, _)| length).sum();
        assert_eq!((lengths, lines.lengths.len()), (lines.count(), lines.lines.len()));
    }
    while lines.take_first().is_some() {}
    assert!(is_empty(&lines));
}
