//! The jobs of a run in one queue for each host, so that a host at its limit delays only its own URLs.
//!
//! ```text
//! list ─▶ queue of its host ─▶ in progress, once its host admits it ─▶ finished
//!              ▲                    │
//!              └──── delayed ◀──────┘ to be retried later
//! ```
//!
//! Jobs start in the order of the list, except that a host that admits none is skipped. A delayed job
//! counts as in progress, and a host has no more jobs in progress than there are connections: otherwise a
//! host that is down for a moment would fail the whole list. The hosts' decisions and the time are
//! arguments; `gate` waits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

/// The jobs that are queued or delayed.
#[derive(Debug)]
pub(crate) struct Queue {
    hosts: Vec<HostQueue>,
    /// The first job of each host that has one to start.
    heads: BTreeSet<Head>,
    delayed: BTreeSet<Delayed>,
    /// The bound of [`HostQueue::in_progress`].
    max_in_progress: usize,
    queued: usize,
}

/// The jobs of one host.
#[derive(Debug, Default)]
struct HostQueue {
    key: Box<str>,
    /// Jobs to be retried, in the order of the list. They precede all fresh ones in it.
    retries: BTreeSet<usize>,
    /// Jobs that have not been started.
    fresh: VecDeque<usize>,
    in_progress: usize,
}

/// The first job of a host's queue, ordered by job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    job: usize,
    host: usize,
}

/// A job that is retried later, ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Delayed {
    until: Instant,
    job: usize,
    host: usize,
}

/// A job in progress.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// The job's index in the list.
    pub(crate) index: usize,
    host: usize,
}

/// The next step of a worker.
#[derive(Debug)]
pub(super) enum Next<A> {
    /// Start this job, which its host admitted.
    Start { ticket: Ticket, admission: A },
    /// Wait for a change, or until this time.
    Wait(Option<Instant>),
}

impl Queue {
    /// Queues the jobs, given by the keys of their hosts in the order of the list.
    pub(crate) fn new(keys: impl IntoIterator<Item = Box<str>>, max_in_progress: usize) -> Self {
        let (mut hosts, mut queued) = (Vec::<HostQueue>::new(), 0);
        let mut number_of = HashMap::new();
        for (index, key) in keys.into_iter().enumerate() {
            let number = *number_of.entry(key).or_insert_with_key(|key| {
                hosts.push(HostQueue { key: key.clone(), ..HostQueue::default() });
                hosts.len() - 1
            });
            hosts[number].fresh.push_back(index);
            queued += 1;
        }
        let head = |(host, queue): (usize, &HostQueue)| {
            Some(Head { job: queue.first(max_in_progress)?, host })
        };
        let heads = hosts.iter().enumerate().filter_map(head).collect();
        Self { hosts, heads, delayed: BTreeSet::new(), max_in_progress, queued }
    }

    /// Starts the first job that `admit` admits to its host. An error of `admit` is the earliest time for the
    /// host, if it is known.
    pub(super) fn next<A>(
        &mut self,
        now: Instant,
        mut admit: impl FnMut(&str) -> Result<A, Option<Instant>>,
    ) -> Next<A> {
        self.requeue_due(now);
        let mut wait = self.delayed.first().map(|delayed| delayed.until);
        let admitted = self.heads.iter().find_map(|head| match admit(&self.hosts[head.host].key) {
            Ok(admission) => Some((head.host, admission)),
            Err(until) => {
                wait = wait.into_iter().chain(until).min();
                None
            }
        });
        let Some((host, admission)) = admitted else { return Next::Wait(wait) };
        let index = self.update(host, |queue| {
            queue.retries.pop_first().unwrap_or_else(|| {
                queue.in_progress += 1;
                queue.fresh.pop_front().expect("the host has a first job")
            })
        });
        self.queued -= 1;
        Next::Start { ticket: Ticket { index, host }, admission }
    }

    /// Delays a job until its next attempt.
    pub(super) fn delay(&mut self, ticket: &Ticket, until: Instant) {
        self.delayed.insert(Delayed { until, job: ticket.index, host: ticket.host });
    }

    /// The key of the job's host.
    pub(super) fn host_key(&self, ticket: &Ticket) -> &str {
        &self.hosts[ticket.host].key
    }

    /// Ends a job.
    pub(super) fn finish_job(&mut self, ticket: &Ticket) {
        self.update(ticket.host, |queue| queue.in_progress -= 1);
    }

    /// Queues all delayed jobs again.
    pub(super) fn requeue_all(&mut self) {
        while let Some(delayed) = self.delayed.pop_first() {
            self.requeue(delayed);
        }
    }

    fn requeue_due(&mut self, now: Instant) {
        while let Some(due) = self.delayed.first().copied().filter(|first| first.until <= now) {
            self.delayed.remove(&due);
            self.requeue(due);
        }
    }

    fn requeue(&mut self, delayed: Delayed) {
        self.update(delayed.host, |queue| queue.retries.insert(delayed.job));
        self.queued += 1;
    }

    /// The number of queued jobs, without the delayed ones.
    pub(super) fn queued_jobs(&self) -> usize {
        self.queued
    }

    /// The number of delayed jobs.
    pub(super) fn delayed_jobs(&self) -> usize {
        self.delayed.len()
    }

    /// Changes a host's queue, and brings `heads` up to date.
    fn update<R>(&mut self, host: usize, change: impl FnOnce(&mut HostQueue) -> R) -> R {
        let queue = &mut self.hosts[host];
        let before = queue.first(self.max_in_progress);
        let result = change(queue);
        let after = queue.first(self.max_in_progress);
        if before != after {
            if let Some(job) = before {
                self.heads.remove(&Head { job, host });
            }
            if let Some(job) = after {
                self.heads.insert(Head { job, host });
            }
        }
        result
    }
}

impl HostQueue {
    /// The first job that may start.
    fn first(&self, max_in_progress: usize) -> Option<usize> {
        let fresh = || self.fresh.front().filter(|_| self.in_progress < max_in_progress);
        self.retries.first().or_else(fresh).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn queue(hosts: &str, max_in_progress: usize) -> Queue {
        Queue::new(hosts.chars().map(|host| host.to_string().into()), max_in_progress)
    }

    /// The next job while the hosts in `closed` admit none before `until`.
    fn next(queue: &mut Queue, now: Instant, closed: &str, until: Option<Instant>) -> Next<()> {
        queue.next(now, |host| if closed.contains(host) { Err(until) } else { Ok(()) })
    }

    fn start(queue: &mut Queue, now: Instant, closed: &str) -> Ticket {
        match next(queue, now, closed, None) {
            Next::Start { ticket, .. } => ticket,
            Next::Wait(until) => panic!("no job starts before {until:?}"),
        }
    }

    #[test]
    fn jobs_start_in_the_order_of_the_list_among_hosts_that_admit_them() {
        let now = Instant::now();
        let mut queue = queue("aabacb", 10);
        let order = [("", 0), ("a", 2), ("ab", 4), ("", 1), ("a", 5), ("", 3)];
        for (closed, index) in order {
            assert_eq!(start(&mut queue, now, closed).index, index, "{closed:?}");
        }
        assert_eq!(queue.queued_jobs(), 0);
        assert!(matches!(next(&mut queue, now, "", None), Next::Wait(None)));
    }

    #[test]
    fn the_wait_ends_when_the_first_host_may_admit_or_the_first_delay_is_over() {
        let now = Instant::now();
        let [soon, later] = [1, 2].map(|seconds| now + Duration::from_secs(seconds));
        let mut queue = queue("ab", 10);
        let first = start(&mut queue, now, "");
        let wait = |queue: &mut Queue, until| match next(queue, now, "ab", until) {
            Next::Wait(until) => until,
            Next::Start { ticket, .. } => panic!("{ticket:?}"),
        };
        assert_eq!(wait(&mut queue, None), None);
        assert_eq!(wait(&mut queue, Some(later)), Some(later));
        queue.delay(&first, soon);
        assert_eq!(wait(&mut queue, Some(later)), Some(soon));
        assert_eq!(wait(&mut queue, Some(now)), Some(now));
        assert_eq!((queue.queued_jobs(), queue.delayed_jobs()), (1, 1));
    }

    #[test]
    fn a_delayed_job_precedes_the_others_of_its_host_once_its_delay_is_over() {
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        let mut queue = queue("aaa", 10);
        let [first, second] = [(); 2].map(|()| start(&mut queue, now, ""));
        queue.delay(&second, until);
        queue.delay(&first, until);
        assert_eq!(start(&mut queue, now, "").index, 2);
        assert!(matches!(next(&mut queue, now, "", None), Next::Wait(Some(_))));
        for index in 0..2 {
            assert_eq!(start(&mut queue, until, "").index, index);
        }
    }

    #[test]
    fn a_host_has_a_bounded_number_of_jobs_in_progress_with_the_delayed_ones() {
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        let mut queue = queue("aaab", 2);
        let [first, second] = [(); 2].map(|()| start(&mut queue, now, ""));
        queue.delay(&first, until);
        assert_eq!(start(&mut queue, now, "").index, 3, "the other host has a bound of its own");
        assert!(matches!(next(&mut queue, now, "", None), Next::Wait(Some(_))));
        queue.finish_job(&second);
        assert_eq!(start(&mut queue, now, "").index, 2);
        assert_eq!(start(&mut queue, until, "").index, 0, "it is in progress already");
    }

    #[test]
    fn a_start_examines_one_job_of_a_hundred_thousand() {
        const JOBS: usize = 100_000;
        let now = Instant::now();
        let mut queue = Queue::new((0..JOBS).map(|_| "a".into()), JOBS);
        let mut asked = 0;
        for index in 0..JOBS {
            let Next::Start { ticket, .. } = queue.next(now, |_| {
                asked += 1;
                Ok(())
            }) else {
                panic!("{index}")
            };
            assert_eq!(ticket.index, index);
        }
        assert_eq!(asked, JOBS);
    }
}
