//! A thread for each connection: a new one, or a parked one that has finished its last.
//!
//! Starting a thread costs more than twice as much CPU as waking one, so a finished thread parks for some
//! seconds before it ends (like MySQL's `thread_cache_size`). There are never more threads than
//! connections at the busiest moment of those seconds: the limits bound them, not this file.
//!
//! Before a parked thread sleeps, it yields once and looks for work again. If connections follow each other
//! closely, the next one has come by then, and nobody needs to be put to sleep and woken. This saved 2 to 17 % of
//! the CPU time of a connection with one small request.
//!
//! At most one thread at a time is on its way to the queue. Once there it takes the first work and, before it
//! begins, wakes another thread if there is more. So no work waits for other work to finish, but
//! a thread that finishes takes work for which nobody had to be woken. This saved 10 % where other programs
//! competed for the processors, and nothing where none did.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Add;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::lock::{lock, wait_timeout};

/// How long a parked thread waits for work before it ends.
pub(super) const PARK_TIMEOUT: Duration = Duration::from_secs(5);

/// After a failure to start a thread, none is started for so long: the system is short of a resource, and
/// each attempt takes more of it.
pub(super) const SPAWN_BACKOFF: Duration = Duration::from_millis(100);

/// Threads that each handle one `T` at a time.
pub(super) struct Threads<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    name: &'static str,
    /// Address space for each thread's stack; only touched pages take memory.
    stack_bytes: usize,
    park_timeout: Duration,
    state: Mutex<State<T>>,
    /// Work has been queued, or the threads are to end.
    queued: Condvar,
    /// A thread has ended.
    ended: Condvar,
}

struct State<T> {
    /// Work that a parked, starting or finishing thread is about to take.
    queue: VecDeque<Work<T>>,
    count: ThreadCount,
    /// Parked threads that look for work once more before they sleep.
    yielding: usize,
    /// A parked thread has been woken and has not looked for work yet.
    is_waking: bool,
    /// No thread is started until then.
    retry_after: Option<Instant>,
    is_stopping: bool,
}

struct Work<T> {
    subject: T,
    handler: fn(T),
}

/// How many threads there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadCount {
    /// All, parked or not.
    pub(super) alive: usize,
    /// Those that wait for work.
    pub(super) parked: usize,
}

impl Add for ThreadCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { alive: self.alive + other.alive, parked: self.parked + other.parked }
    }
}

impl<T> fmt::Debug for Threads<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("count", &self.shared.lock().count).finish_non_exhaustive()
    }
}

/// Work that was not started for lack of a thread, and the reason.
#[derive(Debug)]
pub(super) struct SpawnError<T> {
    pub(super) unstarted: T,
    /// `None` if no thread was attempted, because an attempt has failed a moment ago.
    pub(super) source: Option<io::Error>,
}

impl<T: Send + 'static> Threads<T> {
    /// Starts no thread yet. Each will have this name and a stack of `stack_bytes`, and wait up to
    /// `park_timeout` for its next work.
    pub(super) fn new(name: &'static str, stack_bytes: usize, park_timeout: Duration) -> Self {
        let state = State {
            queue: VecDeque::new(),
            count: ThreadCount::default(),
            yielding: 0,
            is_waking: false,
            retry_after: None,
            is_stopping: false,
        };
        Self {
            shared: Arc::new(Shared {
                name,
                stack_bytes,
                park_timeout,
                state: Mutex::new(state),
                queued: Condvar::new(),
                ended: Condvar::new(),
            }),
        }
    }

    /// Has a parked thread, or else a new one, call `handler` with `subject` at once.
    ///
    /// # Errors
    /// The system starts no more threads, or started none within the last 100 ms. The error
    /// returns the subject.
    pub(super) fn dispatch(&self, subject: T, handler: fn(T)) -> Result<(), SpawnError<T>> {
        let mut state = self.shared.lock();
        if state.count.parked > state.queue.len() {
            state.queue.push_back(Work { subject, handler });
            self.shared.wake_one(state);
            return Ok(());
        }
        if state.retry_after.is_some_and(|end| Instant::now() < end) {
            return Err(SpawnError { unstarted: subject, source: None });
        }
        state.queue.push_back(Work { subject, handler });
        state.count.alive += 1;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let spawned = thread::Builder::new()
            .name(self.shared.name.to_owned())
            .stack_size(self.shared.stack_bytes)
            .spawn(move || shared.run());
        let Err(source) = spawned else { return Ok(()) };
        let mut state = self.shared.lock();
        state.count.alive -= 1;
        state.retry_after = Some(Instant::now() + SPAWN_BACKOFF);
        // None if a thread that has finished meanwhile has taken it: then it is being handled.
        match state.queue.pop_back() {
            Some(work) => Err(SpawnError { unstarted: work.subject, source: Some(source) }),
            None => Ok(()),
        }
    }

    /// Ends parked threads, and waits up to `timeout` until no thread is left. Returns how many are left.
    #[must_use]
    pub(super) fn finish(&self, timeout: Duration) -> usize {
        let mut state = self.shared.lock();
        state.is_stopping = true;
        self.shared.queued.notify_all();
        let waited =
            self.shared.ended.wait_timeout_while(state, timeout, |state| state.count.alive > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.count.alive
    }

    /// How many threads there are at present.
    #[must_use]
    pub(super) fn count(&self) -> ThreadCount {
        self.shared.lock().count
    }
}

impl<T> Shared<T> {
    fn run(&self) {
        while let Some(Work { subject, handler }) = self.next() {
            // The panic hook has printed the message, and unwinding has dropped the subject.
            if catch_unwind(AssertUnwindSafe(|| handler(subject))).is_err() {
                log::error!("a {} thread panicked; its connection is closed", self.name);
            }
        }
        let mut state = self.lock();
        state.count.alive -= 1;
        drop(state);
        self.ended.notify_all();
    }

    /// Waits for work; `None` if none came in time.
    fn next(&self) -> Option<Work<T>> {
        let mut state = self.lock();
        if state.queue.is_empty() {
            state = self.park(state);
        }
        let work = state.queue.pop_front();
        self.wake_one(state);
        work
    }

    /// Waits until there is work, or the park timeout has passed.
    fn park<'s>(&'s self, mut state: MutexGuard<'s, State<T>>) -> MutexGuard<'s, State<T>> {
        state.count.parked += 1;
        state.yielding += 1;
        drop(state);
        thread::yield_now();
        let mut state = self.lock();
        state.yielding -= 1;
        let end = Instant::now() + self.park_timeout;
        while state.queue.is_empty() && !state.is_stopping {
            let remaining = end.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                break;
            }
            state = wait_timeout(&self.queued, state, remaining);
            state.is_waking = false;
        }
        state.count.parked -= 1;
        state
    }

    /// Releases the lock, and wakes a parked thread if there is work that no thread is about to look for.
    fn wake_one(&self, mut state: MutexGuard<'_, State<T>>) {
        let is_asleep = state.count.parked > 0 && state.yielding == 0 && !state.is_waking;
        if is_asleep && !state.queue.is_empty() {
            state.is_waking = true;
            drop(state);
            self.queued.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};
    use std::thread::ThreadId;

    use super::*;
    use crate::server::test_wait::wait_until;

    const STACK_BYTES: usize = 256 * 1024;
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_finished_thread_does_the_next_work() {
        let (sender, receiver) = mpsc::channel();
        let threads = Threads::new("test", STACK_BYTES, LONG);
        let mut seen: HashSet<ThreadId> = HashSet::new();
        for _ in 0..5 {
            let tell = |sender: mpsc::Sender<_>| sender.send(thread::current().id()).unwrap();
            threads.dispatch(sender.clone(), tell).unwrap();
            seen.insert(receiver.recv_timeout(LONG).unwrap());
            wait_until("the thread is parked", || threads.count().parked == 1);
        }
        assert_eq!(seen.len(), 1);
        assert_eq!(threads.finish(LONG), 0);
    }

    #[test]
    fn work_never_waits_for_other_work_to_finish() {
        const WORK: usize = 4;
        let (sender, receiver) = mpsc::channel();
        let barrier = Arc::new(Barrier::new(WORK));
        let threads = Threads::new("test", STACK_BYTES, LONG);
        let meet = |(barrier, sender): (Arc<Barrier>, mpsc::Sender<()>)| {
            barrier.wait();
            sender.send(()).unwrap();
        };
        // First in new threads, then in parked ones that sleep, yield or are about to park.
        for round in 0..1000 {
            if round % 2 == 0 {
                wait_until("all are parked", || {
                    let count = threads.count();
                    count.parked == count.alive
                });
            }
            for _ in 0..WORK {
                threads.dispatch((Arc::clone(&barrier), sender.clone()), meet).unwrap();
            }
            for _ in 0..WORK {
                receiver.recv_timeout(LONG).expect("all run at the same time");
            }
        }
        assert_eq!(threads.finish(LONG), 0);
    }

    #[test]
    fn no_work_is_lost_between_yielding_and_sleeping() {
        const WORK: usize = 20_000;
        let done = Arc::new(AtomicUsize::new(0));
        let count = |done: Arc<AtomicUsize>| {
            done.fetch_add(1, Ordering::SeqCst);
        };
        let threads = Threads::new("test", STACK_BYTES, LONG);
        for dispatched in 0..WORK {
            let started_at = Instant::now();
            threads.dispatch(Arc::clone(&done), count).unwrap();
            // Work follows closely at times, and at others finds only sleeping threads.
            let most_outstanding = dispatched % 8;
            while dispatched + 1 - done.load(Ordering::SeqCst) > most_outstanding {
                assert!(started_at.elapsed() < LONG, "work was lost: {done:?} of {dispatched}");
                thread::yield_now();
            }
        }
        assert_eq!(threads.finish(LONG), 0);
        assert_eq!(done.load(Ordering::SeqCst), WORK);
    }

    #[test]
    fn a_thread_outlives_a_panic_and_drops_what_its_work_held() {
        let (sender, receiver) = mpsc::channel::<&str>();
        let threads = Threads::new("test", STACK_BYTES, LONG);
        let work = |(_held, message): (mpsc::Sender<&str>, &str)| {
            assert!(message != "panic", "a panic on purpose, within a piece of work");
        };
        threads.dispatch((sender, "panic"), work).unwrap();
        assert_eq!(
            receiver.recv_timeout(LONG),
            Err(mpsc::RecvTimeoutError::Disconnected),
            "the sender is dropped by the panic"
        );
        let (sender, _receiver) = mpsc::channel();
        threads.dispatch((sender, "calm"), work).unwrap();
        assert_eq!(threads.finish(LONG), 0);
    }

    #[test]
    fn work_that_gets_no_thread_is_returned_and_none_is_attempted_for_a_while() {
        // A stack that no address space has room for.
        let threads = Threads::new("test", 1 << 60, LONG);
        let mut asked = Instant::now();
        let error = threads.dispatch("one", drop).unwrap_err();
        assert_eq!(error.unstarted, "one");
        assert!(error.source.is_some(), "it was attempted");
        let (started_at, mut attempts) = (Instant::now(), 1);
        while attempts < 4 {
            assert!(started_at.elapsed() < LONG, "none is attempted any more");
            let asked_again = Instant::now();
            let error = threads.dispatch("two", drop).unwrap_err();
            assert_eq!(error.unstarted, "two");
            if error.source.is_some() {
                let since = asked.elapsed();
                assert!(since >= SPAWN_BACKOFF, "attempted {since:?} after the last failure");
                (asked, attempts) = (asked_again, attempts + 1);
            }
            thread::yield_now();
        }
        assert_eq!(threads.count(), ThreadCount::default());
        assert_eq!(threads.finish(LONG), 0);
    }

    #[test]
    fn a_thread_without_work_ends_after_its_time() {
        let threads = Threads::new("test", STACK_BYTES, Duration::from_millis(1));
        threads.dispatch((), drop).unwrap();
        wait_until("the thread has ended", || threads.count().alive == 0);
    }
}
