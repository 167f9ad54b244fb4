//! Simulations: connections that send through a queue, on a clock of their own.

use std::collections::BTreeSet;

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

/// A connection, which enters a piece once its last one was sent and it is ready again.
#[derive(Clone, Copy, Debug)]
struct Sender {
    flow: usize,
    /// The bytes of each of its responses.
    response_bytes: u64,
    /// How long it takes to be ready for the next piece: a slow reader, or a distant client.
    pause: Duration,
    ready_at: Duration,
}

/// Always has more to send.
fn backlogged(flow: usize) -> Sender {
    Sender { flow, response_bytes: u64::MAX, pause: Duration::ZERO, ready_at: Duration::ZERO }
}

/// What was sent: when, by which flow and sender, and how many bytes.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Duration,
    flow: usize,
    sender: usize,
    bytes: u64,
}

struct Simulation {
    rate: u64,
    senders: Vec<Sender>,
    /// From when a sender is woken, or its time has come, until it runs.
    latency: Duration,
}

impl Simulation {
    fn new(rate: u64, senders: Vec<Sender>) -> Self {
        Self { rate, senders, latency: Duration::ZERO }
    }

    /// Runs for this long. Each sender is a thread that enters a piece, sleeps until it has begun, sends it,
    /// and enters the next one.
    fn run(&self, length: Duration) -> Vec<Sent> {
        let start = Instant::now();
        let mut queue = FairQueue::new(self.rate, start);
        let mut used = vec![0; 1 + self.senders.iter().map(|sender| sender.flow).max().unwrap()];
        let mut left: Vec<u64> = self.senders.iter().map(|sender| sender.response_bytes).collect();
        let mut pieces = vec![None; self.senders.len()];
        // When which sender runs next.
        let mut wakes: BTreeSet<(Duration, usize)> =
            self.senders.iter().enumerate().map(|(at, sender)| (sender.ready_at, at)).collect();
        let mut sent = Vec::new();
        while let Some((now, number)) = wakes.pop_first()
            && now < length
        {
            let Sender { flow, response_bytes, pause, .. } = self.senders[number];
            let piece = *pieces[number]
                .get_or_insert_with(|| queue.enter(&mut used[flow], left[number], number));
            let mut woken = Vec::new();
            queue.begin_due(start + now, |waiter| woken.push(waiter));
            if !woken.is_empty() {
                woken.extend(queue.first().map(|(_, waiter)| *waiter));
            }
            let others = woken.into_iter().filter(|waiter| *waiter != number);
            wakes.extend(others.map(|waiter| (now + self.latency, waiter)));
            if !queue.is_waiting(piece) {
                let bytes = piece.bytes;
                sent.push(Sent { at: now, flow, sender: number, bytes });
                left[number] -= bytes;
                if left[number] == 0 {
                    left[number] = response_bytes;
                }
                pieces[number] = None;
                wakes.insert((now + pause, number));
            } else if queue.first().is_some_and(|(first, _)| first == piece) {
                wakes.insert((queue.due() - start + self.latency, number));
            }
        }
        sent
    }
}

/// The bytes that each flow or sender sent in a time.
fn bytes_of(sent: &[Sent], key: fn(&Sent) -> usize, from: Duration, to: Duration) -> Vec<u64> {
    let mut bytes = Vec::new();
    for piece in sent.iter().filter(|piece| (from..to).contains(&piece.at)) {
        bytes.resize(bytes.len().max(key(piece) + 1), 0);
        bytes[key(piece)] += piece.bytes;
    }
    bytes
}

/// The greatest deviation from the mean, as a fraction of it.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn unevenness(bytes: &[u64]) -> f64 {
    let mean = bytes.iter().sum::<u64>() as f64 / bytes.len() as f64;
    bytes.iter().map(|bytes| (*bytes as f64 / mean - 1.0).abs()).fold(0.0, f64::max)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn over_any_two_seconds_all_flows_that_always_send_get_the_same_to_within_5_percent() {
    for rate in [20_000, 50_000, 200_000, 1_000_000, 1_000_000_000] {
        for flows in [1, 2, 3, 4, 7, 12, 25, 50] {
            for connections_of_first in [1, 10] {
                let mut senders: Vec<Sender> = (0..flows).map(backlogged).collect();
                senders.extend((1..connections_of_first).map(|_| backlogged(0)));
                let sent = Simulation::new(rate, senders).run(12 * SECOND);
                // The first two pieces of the first flow are a twentieth of a second each, as no other one
                // waits when they enter. They are followed by as much for each of the others.
                for window in 5..10 {
                    let from = window * SECOND + 7 * window * MILLISECOND;
                    let of_flows = bytes_of(&sent, |sent| sent.flow, from, from + 2 * SECOND);
                    let unevenness = unevenness(&of_flows);
                    assert!(unevenness <= 0.05, "{rate} {flows} {window}: {of_flows:?}");
                    let total: u64 = of_flows.iter().sum();
                    assert!(total.abs_diff(2 * rate) <= rate / 20, "{rate} {flows}: {total}");
                }
            }
        }
    }
}

#[test]
fn the_connections_of_one_flow_take_turns() {
    let senders = vec![backlogged(0), backlogged(1), backlogged(1), backlogged(1)];
    let sent = Simulation::new(1_000_000, senders).run(2 * SECOND);
    let of_senders = bytes_of(&sent, |sent| sent.sender, Duration::ZERO, 2 * SECOND);
    assert!(unevenness(&of_senders[1..]) <= 0.05, "{of_senders:?}");
    assert!(of_senders[0].abs_diff(1_000_000) <= 50_000, "{of_senders:?}");
}

#[test]
fn what_a_slow_flow_leaves_goes_to_the_others() {
    // Without the pause it would get 250 kB/s; with it, it gets one piece in 200 ms.
    let slow = Sender { pause: 200 * MILLISECOND, ..backlogged(0) };
    let senders = vec![slow, backlogged(1), backlogged(2), backlogged(3)];
    let sent = Simulation::new(1_000_000, senders).run(10 * SECOND);
    let of_flows = bytes_of(&sent, |sent| sent.flow, Duration::ZERO, 10 * SECOND);
    assert!(of_flows[0] < 500_000, "{of_flows:?}");
    assert!(unevenness(&of_flows[1..]) <= 0.01, "{of_flows:?}");
    let total: u64 = of_flows.iter().sum();
    assert!(total.abs_diff(10_000_000) <= 50_000, "{total}");
}

#[test]
fn small_responses_get_as_much_as_large_ones() {
    // As many connections as needed to always have one waiting.
    let small = Sender { response_bytes: 500, pause: MILLISECOND, ..backlogged(0) };
    let mut senders = vec![small; 20];
    senders.extend([backlogged(1), backlogged(2)]);
    let sent = Simulation::new(1_000_000, senders).run(2 * SECOND);
    let of_flows = bytes_of(&sent, |sent| sent.flow, Duration::ZERO, 2 * SECOND);
    assert!(unevenness(&of_flows) <= 0.05, "{of_flows:?}");
}

#[test]
fn a_small_response_waits_for_one_piece_and_not_for_a_piece_of_each_flow() {
    let page = Sender {
        response_bytes: 500,
        pause: SECOND,
        ready_at: SECOND + 3 * MILLISECOND,
        ..backlogged(20)
    };
    let senders = (0..20).map(backlogged).chain([page]).collect();
    let sent = Simulation::new(1_000_000, senders).run(4 * SECOND);
    let pages: Vec<Duration> =
        sent.iter().filter(|sent| sent.flow == 20).map(|sent| sent.at).collect();
    assert_eq!(pages.len(), 3);
    let latest = page.ready_at + 2 * MILLISECOND;
    assert!(pages[0] <= latest, "{pages:?}: a piece takes a millisecond");
}

#[test]
fn a_flow_that_was_idle_does_not_make_up_for_it() {
    let late = Sender { ready_at: 5 * SECOND, ..backlogged(0) };
    let sent = Simulation::new(1_000_000, vec![late, backlogged(1)]).run(7 * SECOND);
    let before = bytes_of(&sent, |sent| sent.flow, Duration::ZERO, 5 * SECOND);
    assert!(before[1].abs_diff(5_000_000) <= 50_000, "{before:?}: alone it gets all");
    let after = bytes_of(&sent, |sent| sent.flow, 5 * SECOND, 7 * SECOND);
    assert!(unevenness(&after) <= 0.05, "{after:?}");
}

#[test]
fn threads_that_wake_up_late_do_not_lower_the_rate() {
    // A piece is 2 ms.
    let senders = (0..12).map(backlogged).collect();
    let late = Simulation { latency: 10 * MILLISECOND, ..Simulation::new(1_000_000, senders) };
    let sent = late.run(10 * SECOND);
    let of_flows = bytes_of(&sent, |sent| sent.flow, Duration::ZERO, 10 * SECOND);
    let total: u64 = of_flows.iter().sum();
    assert!(total.abs_diff(10_000_000) <= 50_000, "{total}");
    assert!(unevenness(&of_flows) <= 0.01, "{of_flows:?}");
}

#[test]
fn those_who_come_first_do_not_wait_long_for_those_who_come_after_them() {
    let sent = Simulation::new(1_000_000, (0..20).map(backlogged).collect()).run(2 * SECOND);
    for flow in 0..20 {
        let times: Vec<Duration> =
            sent.iter().filter(|sent| sent.flow == flow).map(|sent| sent.at).collect();
        // A piece of 25 ms, when few waited, is followed by as much for each of the others.
        let waits_long = times.windows(2).any(|pair| pair[1] > pair[0] + 520 * MILLISECOND);
        assert!(!waits_long, "{flow}: {times:?}");
    }
}

#[test]
fn an_idle_queue_saves_up_no_more_than_it_may_catch_up() {
    let begun_at = Instant::now();
    let mut queue = FairQueue::new(1_000_000, begun_at);
    let (mut used, mut at_once) = (0, 0);
    let now = begun_at + 60 * SECOND;
    loop {
        let piece = queue.enter(&mut used, u64::MAX, ());
        queue.begin_due(now, |()| at_once += piece.bytes);
        if queue.is_waiting(piece) {
            break assert!(queue.due() > now);
        }
    }
    assert_eq!(at_once, 75_000, "what is due in 50 ms, and the piece that exceeds it");
}

#[test]
fn what_is_given_back_is_neither_used_nor_delays_the_next_piece() {
    let begun_at = Instant::now();
    let mut queue = FairQueue::new(1_000_000, begun_at);
    let mut used = 0;
    for (waiter, expected) in [("first", 10_000), ("second", 20_000), ("third", 28_333)] {
        queue.enter(&mut used, 10_000, waiter);
        assert_eq!(used, expected, "{waiter}");
    }
    let begun = |queue: &mut FairQueue<&'static str>, after: Duration| {
        let mut begun = Vec::new();
        queue.begin_due(begun_at + after, |waiter| begun.push(waiter));
        begun
    };
    assert_eq!(begun(&mut queue, Duration::ZERO), ["first"]);
    assert_eq!(begun(&mut queue, 9 * MILLISECOND), [""; 0]);
    queue.refund(&mut used, 9_000);
    assert_eq!((used, queue.due()), (19_333, begun_at + MILLISECOND));
    assert_eq!(begun(&mut queue, MILLISECOND), ["second"]);
    assert_eq!(begun(&mut queue, 20 * MILLISECOND), ["third"]);
    assert_eq!(queue.first(), None);
}

#[test]
fn a_piece_is_at_least_a_segment_if_that_takes_no_longer_than_20_of_each_a_second() {
    for (rate, waiting, expected) in [
        (1, 0, 1),
        (4_000, 0, 200),
        (20_000, 0, 1_000),
        (30_000, 0, 1_460),
        (60_000, 0, 1_500),
        (1_000_000, 0, 25_000),
        (30_000, 1, 750),
        (60_000, 1, 1_460),
        (1_000_000, 9, 2_500),
        (1_000_000, 19, 1_460),
        (1_000_000, 49, 1_000),
        (1_000_000, 999, 1_000),
        (10_000_000, 999, 10_000),
    ] {
        let mut queue = FairQueue::new(rate, Instant::now());
        for _ in 0..waiting {
            queue.enter(&mut 0, 1, ());
        }
        assert_eq!(queue.enter(&mut 0, u64::MAX, ()).bytes, expected, "{rate} {waiting}");
    }
}

#[test]
fn a_piece_is_no_longer_than_what_is_wanted() {
    for wanted in [0, 7] {
        let piece = FairQueue::new(4_000, Instant::now()).enter(&mut 0, wanted, ());
        assert_eq!(piece.bytes, wanted);
    }
}
