//! A rate at which several threads send: each waits for its turn.
//!
//! There is no thread for this, and nobody polls. The thread that is next sleeps until its piece is due; then it
//! wakes those whose pieces are due as well, and the one after them. The others sleep until they are woken.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::thread::Thread;
use std::time::Instant;

use super::fair_queue::FairQueue;
use crate::lock::lock;

/// A rate in bytes per second that flows share evenly.
#[derive(Debug)]
pub(crate) struct SharedRate {
    queue: Mutex<FairQueue<Thread>>,
}

/// What a flow has used of its share. Only changed while the queue is locked.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    used: AtomicU64,
}

/// The right of a connection to send at a shared rate, as a part of its flow.
#[derive(Debug)]
pub(crate) struct Share {
    rate: Arc<SharedRate>,
    flow: Arc<Flow>,
    /// The bytes of the present turn.
    granted: u64,
}

impl SharedRate {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self { queue: Mutex::new(FairQueue::new(bytes_per_second, Instant::now())) }
    }
}

impl Flow {
    fn update<T>(&self, change: impl FnOnce(&mut u64) -> T) -> T {
        let mut used = self.used.load(Ordering::Relaxed);
        let result = change(&mut used);
        self.used.store(used, Ordering::Relaxed);
        result
    }

    /// Gives back bytes that were not sent. The next piece is due earlier then.
    fn refund(&self, queue: &mut FairQueue<Thread>, bytes: u64) {
        self.update(|used| queue.refund(used, bytes));
        wake_first(queue);
    }
}

impl Share {
    pub(crate) fn new(rate: Arc<SharedRate>, flow: Arc<Flow>) -> Self {
        Self { rate, flow, granted: 0 }
    }

    /// Waits for a turn, and returns how many bytes it is for: at most `wanted`, and at least one of them.
    pub(crate) fn wait_for_turn(&mut self, wanted: u64) -> u64 {
        let mut queue = lock(&self.rate.queue);
        let piece = self.flow.update(|used| queue.enter(used, wanted, thread::current()));
        loop {
            let now = Instant::now();
            begin_due(&mut queue, now);
            if !queue.is_waiting(piece) {
                break;
            }
            let is_first = queue.first().is_some_and(|(first, _)| first == piece);
            let due = queue.due();
            drop(queue);
            if is_first {
                thread::park_timeout(due - now);
            } else {
                thread::park();
            }
            queue = lock(&self.rate.queue);
        }
        self.granted = piece.bytes;
        piece.bytes
    }

    /// Ends a turn in which so many bytes were sent.
    pub(crate) fn end_turn(&mut self, sent: u64) {
        let unused = mem::take(&mut self.granted) - sent;
        if unused > 0 {
            self.flow.refund(&mut lock(&self.rate.queue), unused);
        }
    }
}

/// Begins the pieces that are due, and wakes the threads that wait for them and the one that is next.
fn begin_due(queue: &mut FairQueue<Thread>, now: Instant) {
    let mut have_begun = false;
    queue.begin_due(now, |thread| {
        have_begun = true;
        wake(&thread);
    });
    if have_begun {
        wake_first(queue);
    }
}

/// Wakes the thread that is next, which sleeps until its piece is due.
fn wake_first(queue: &FairQueue<Thread>) {
    if let Some((_, thread)) = queue.first() {
        wake(thread);
    }
}

fn wake(thread: &Thread) {
    if thread.id() != thread::current().id() {
        thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The bytes that each of the threads was granted, until all together had so many.
    fn grants(threads: usize, wanted: u64, total: u64) -> Vec<u64> {
        let rate = Arc::new(SharedRate::new(1_000_000));
        let granted = AtomicU64::new(0);
        thread::scope(|scope| {
            let started: Vec<_> = (0..threads)
                .map(|_| {
                    let mut share = Share::new(Arc::clone(&rate), Arc::default());
                    let granted = &granted;
                    scope.spawn(move || {
                        let mut own = 0;
                        while granted.load(Ordering::Relaxed) < total {
                            let bytes = share.wait_for_turn(wanted);
                            granted.fetch_add(bytes, Ordering::Relaxed);
                            own += bytes;
                            share.end_turn(bytes);
                        }
                        own
                    })
                })
                .collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn threads_are_granted_no_more_than_the_rate_and_none_sleeps_for_ever() {
        for (threads, wanted) in [(1, 100), (2, u64::MAX), (7, 10), (40, 2_000)] {
            let begun = Instant::now();
            let granted: u64 = grants(threads, wanted, 100_000).iter().sum();
            // The last piece of each thread begins before it is paid for.
            let paid = granted - threads as u64 * 25_000.min(wanted);
            let least = Duration::from_micros(paid);
            assert!(begun.elapsed() >= least, "{threads} {wanted}: {:?}", begun.elapsed());
        }
    }

    #[test]
    fn bytes_that_were_not_sent_delay_no_one() {
        let rate = Arc::new(SharedRate::new(10));
        let mut shares = [(); 2].map(|()| Share::new(Arc::clone(&rate), Arc::default()));
        let begun = Instant::now();
        // A byte takes a tenth of a second.
        for _ in 0..1_000 {
            for share in &mut shares {
                assert_eq!(share.wait_for_turn(5), 1);
                share.end_turn(0);
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        }
    }
}
