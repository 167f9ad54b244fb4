//! Whose turn it is: the jobs stand in a line for each host, so that a host which admits nobody holds up
//! no URL but its own.
//!
//! ```text
//! list ─▶ line of its host ─▶ under way: the host admits it ─▶ finished
//!              ▲                    │
//!              └──── resting ◀──────┘ it is to be tried again, but not at once
//! ```
//!
//! Among the heads of the lines the order is that of the list, and so it is within a line. A job that
//! rests is still under way: of one host's jobs no more are than there are connections, or a host that is
//! down for a moment would see the whole list fail. Which host admits somebody, and what time it is, are
//! arguments; the waiting is `host_gate`'s.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

/// The jobs that are not under way, or rest.
#[derive(Debug)]
pub(crate) struct Queue {
    lines: Vec<Line>,
    /// Those lines that have somebody to send, each with the job at its head.
    heads: BTreeSet<(usize, usize)>,
    /// Until when, which job, of which line.
    resting: BTreeSet<(Instant, usize, usize)>,
    /// Most jobs of one host under way.
    most_under_way: usize,
    /// How many stand in the lines.
    standing: usize,
}

/// The jobs of one host.
#[derive(Debug, Default)]
struct Line {
    host: Box<str>,
    /// Those that were under way before; in the list they come before the fresh ones.
    again: BTreeSet<usize>,
    fresh: VecDeque<usize>,
    under_way: usize,
}

/// A job that is under way.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) index: usize,
    line: usize,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next<A> {
    /// This job, with what its host admitted it with.
    Turn(Turn, A),
    /// Nothing, before something changes or this time comes.
    Wait(Option<Instant>),
}

impl Queue {
    /// The jobs in their order, each by the host that it is for.
    pub(crate) fn new(hosts: impl IntoIterator<Item = Box<str>>, most_under_way: usize) -> Self {
        let (mut lines, mut standing) = (Vec::<Line>::new(), 0);
        let mut line_of = HashMap::new();
        for (index, host) in hosts.into_iter().enumerate() {
            let line = *line_of.entry(host).or_insert_with_key(|host| {
                lines.push(Line { host: host.clone(), ..Line::default() });
                lines.len() - 1
            });
            lines[line].fresh.push_back(index);
            standing += 1;
        }
        let head = |(number, line): (usize, &Line)| Some((line.head(most_under_way)?, number));
        let heads = lines.iter().enumerate().filter_map(head).collect();
        Self { lines, heads, resting: BTreeSet::new(), most_under_way, standing }
    }

    /// The first job whose host `admit`s it; a host that does not says when it might.
    pub(super) fn next<A>(
        &mut self,
        now: Instant,
        mut admit: impl FnMut(&str) -> Result<A, Option<Instant>>,
    ) -> Next<A> {
        self.end_rests(Some(now));
        let mut wait = self.resting.first().map(|(until, ..)| *until);
        let admitted =
            self.heads.iter().find_map(|(_, line)| match admit(&self.lines[*line].host) {
                Ok(with) => Some((*line, with)),
                Err(until) => {
                    wait = wait.into_iter().chain(until).min();
                    None
                }
            });
        let Some((line, with)) = admitted else { return Next::Wait(wait) };
        let index = self.change(line, |line| {
            line.again.pop_first().unwrap_or_else(|| {
                line.under_way += 1;
                line.fresh.pop_front().expect("the line has a head")
            })
        });
        self.standing -= 1;
        Next::Turn(Turn { index, line }, with)
    }

    /// The job is to be tried again, but not before this time.
    pub(super) fn rest(&mut self, turn: &Turn, until: Instant) {
        self.resting.insert((until, turn.index, turn.line));
    }

    /// The host that the job is for.
    pub(super) fn host(&self, turn: &Turn) -> &str {
        &self.lines[turn.line].host
    }

    /// The job is done with.
    pub(super) fn finish(&mut self, turn: &Turn) {
        self.change(turn.line, |line| line.under_way -= 1);
    }

    /// Has those stand in line again whose rest is over by this time, or all of them.
    pub(super) fn end_rests(&mut self, by: Option<Instant>) {
        let is_over = |until: Instant| by.is_none_or(|by| until <= by);
        while self.resting.first().is_some_and(|(until, ..)| is_over(*until)) {
            let (_, index, line) = self.resting.pop_first().expect("there is a first");
            self.change(line, |line| line.again.insert(index));
            self.standing += 1;
        }
    }

    /// How many stand in the lines, those that rest left out.
    pub(super) fn standing(&self) -> usize {
        self.standing
    }

    pub(super) fn resting(&self) -> usize {
        self.resting.len()
    }

    fn change<R>(&mut self, number: usize, change: impl FnOnce(&mut Line) -> R) -> R {
        let line = &mut self.lines[number];
        let before = line.head(self.most_under_way);
        let result = change(line);
        let after = line.head(self.most_under_way);
        if before != after {
            if let Some(head) = before {
                self.heads.remove(&(head, number));
            }
            if let Some(head) = after {
                self.heads.insert((head, number));
            }
        }
        result
    }
}

impl Line {
    /// The job whose turn it is, if it may go.
    fn head(&self, most_under_way: usize) -> Option<usize> {
        let fresh = || self.fresh.front().filter(|_| self.under_way < most_under_way);
        self.again.first().or_else(fresh).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn queue(hosts: &str, most_under_way: usize) -> Queue {
        Queue::new(hosts.chars().map(|host| host.to_string().into()), most_under_way)
    }

    /// The job that is next where these hosts admit nobody before `until`.
    fn next(queue: &mut Queue, now: Instant, closed: &str, until: Option<Instant>) -> Next<()> {
        queue.next(now, |host| if closed.contains(host) { Err(until) } else { Ok(()) })
    }

    fn turn(queue: &mut Queue, now: Instant, closed: &str) -> Turn {
        match next(queue, now, closed, None) {
            Next::Turn(turn, ()) => turn,
            Next::Wait(until) => panic!("nobody goes before {until:?}"),
        }
    }

    #[test]
    fn the_order_is_that_of_the_list_among_hosts_that_admit_somebody() {
        let now = Instant::now();
        let mut queue = queue("aabacb", 10);
        let order = [("", 0), ("a", 2), ("ab", 4), ("", 1), ("a", 5), ("", 3)];
        for (closed, index) in order {
            assert_eq!(turn(&mut queue, now, closed).index, index, "{closed:?}");
        }
        assert_eq!(queue.standing(), 0);
        assert!(matches!(next(&mut queue, now, "", None), Next::Wait(None)));
    }

    #[test]
    fn the_wait_ends_when_the_first_host_may_admit_or_the_first_rest_is_over() {
        let now = Instant::now();
        let [soon, later] = [1, 2].map(|seconds| now + Duration::from_secs(seconds));
        let mut queue = queue("ab", 10);
        let first = turn(&mut queue, now, "");
        let wait = |queue: &mut Queue, until| match next(queue, now, "ab", until) {
            Next::Wait(until) => until,
            Next::Turn(turn, ()) => panic!("{turn:?}"),
        };
        assert_eq!(wait(&mut queue, None), None);
        assert_eq!(wait(&mut queue, Some(later)), Some(later));
        queue.rest(&first, soon);
        assert_eq!(wait(&mut queue, Some(later)), Some(soon));
        assert_eq!(wait(&mut queue, Some(now)), Some(now));
        assert_eq!((queue.standing(), queue.resting()), (1, 1));
    }

    #[test]
    fn who_has_rested_goes_before_the_others_of_its_host_and_not_sooner() {
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        let mut queue = queue("aaa", 10);
        let [first, second] = [(); 2].map(|()| turn(&mut queue, now, ""));
        queue.rest(&second, until);
        queue.rest(&first, until);
        assert!(matches!(next(&mut queue, now, "", None), Next::Turn(Turn { index: 2, .. }, ())));
        assert!(matches!(next(&mut queue, now, "", None), Next::Wait(Some(_))));
        for index in 0..2 {
            assert_eq!(turn(&mut queue, until, "").index, index);
        }
    }

    #[test]
    fn of_one_host_no_more_jobs_are_under_way_than_may_be_those_that_rest_included() {
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        let mut queue = queue("aaab", 2);
        let [first, second] = [(); 2].map(|()| turn(&mut queue, now, ""));
        queue.rest(&first, until);
        assert_eq!(turn(&mut queue, now, "").index, 3, "the other host is not concerned");
        assert!(matches!(next(&mut queue, now, "", None), Next::Wait(Some(_))));
        queue.finish(&second);
        assert_eq!(turn(&mut queue, now, "").index, 2);
        assert_eq!(turn(&mut queue, until, "").index, 0, "it is under way already");
    }

    #[test]
    fn a_hundred_thousand_jobs_are_not_looked_at_for_each_turn() {
        const JOBS: usize = 100_000;
        let now = Instant::now();
        let mut queue = Queue::new((0..JOBS).map(|_| "a".into()), JOBS);
        let mut asked = 0;
        for index in 0..JOBS {
            let Next::Turn(turn, ()) = queue.next(now, |_| {
                asked += 1;
                Ok(())
            }) else {
                panic!("{index}")
            };
            assert_eq!(turn.index, index);
        }
        assert_eq!(asked, JOBS);
    }
}
