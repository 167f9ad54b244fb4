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
