//! A rate at which several threads send: each waits for its turn.
//!
//! There is no thread for this, and nobody polls: the thread that is next sleeps until its piece is due, and
//! wakes the one after it. The others sleep until they are woken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::thread::Thread;
use std::time::Instant;

use super::fair_queue::{FairQueue, Turn};
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
            let turn = queue.begin(piece, now);
            if turn == Turn::Now {
                break;
            }
            drop(queue);
            match turn {
                Turn::At(due) => thread::park_timeout(due - now),
                _ => thread::park(),
            }
            queue = lock(&self.rate.queue);
        }
        let next = queue.first().cloned();
        drop(queue);
        next.inspect(Thread::unpark);
        self.granted = piece.bytes;
        piece.bytes
    }

    /// Ends a turn in which so many bytes were sent.
    pub(crate) fn end_turn(&mut self, sent: u64) {
        let unsent = std::mem::take(&mut self.granted) - sent;
        if unsent == 0 {
            return;
        }
        let mut queue = lock(&self.rate.queue);
        self.flow.update(|used| queue.refund(used, unsent));
        // The next piece is due earlier now.
        let next = queue.first().cloned();
        drop(queue);
        next.inspect(Thread::unpark);
    }
}
