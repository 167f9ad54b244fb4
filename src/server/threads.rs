//! A thread for each connection: a new one, or one that has finished its last and waits for a next.
//!
//! Making a thread costs more than twice what waking one does, so a thread that is done waits some
//! seconds before it ends (the way of MySQL's `thread_cache_size`). There are never more threads than
//! connections at the busiest moment of those seconds; the limits bound them, not this file.
//!
//! Before it sleeps, a thread lets others run once and looks again: where connections come one upon the
//! other its next has arrived by then, and nobody has to be put to sleep and woken for it. That was worth
//! 7 % of the processor time of a connection with one small request.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::lock::lock;

/// How long a thread without work waits for some.
pub(super) const PARK_TIMEOUT: Duration = Duration::from_secs(5);

/// After a failure to make a thread, for how long none is attempted: the system is short of something,
/// and each attempt costs it more of that.
const SPAWN_BACKOFF: Duration = Duration::from_millis(100);

/// Threads that each do one piece of work, on a `T`, at a time.
pub(super) struct Threads<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    name: &'static str,
    /// Address space for each thread's stack; only the pages that are touched take memory.
    stack_bytes: usize,
    park: Duration,
    state: Mutex<State<T>>,
    arrived: Condvar,
    ended: Condvar,
}

struct State<T> {
    /// Work that a thread, parked or just begun, is about to take.
    waiting: VecDeque<Work<T>>,
    parked: usize,
    /// Those of the parked threads that have yet to look once more before they sleep.
    looking: usize,
    alive: usize,
    /// No thread is started until then.
    retry_after: Option<Instant>,
    stopping: bool,
}

struct Work<T> {
    subject: T,
    handler: fn(T),
}

impl<T> fmt::Debug for Threads<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Threads")
            .field("alive", &state.alive)
            .field("parked", &state.parked)
            .finish_non_exhaustive()
    }
}

/// Work for which no thread could be made, handed back.
#[derive(Debug)]
pub(super) struct SpawnError<T> {
    pub(super) unstarted: T,
    /// `None` where no thread was attempted, so soon after a failure.
    pub(super) source: Option<io::Error>,
}

impl<T: Send + 'static> Threads<T> {
    /// No threads yet; each will have this name and a stack so large, and wait for `park` between two
    /// pieces of work.
    pub(super) fn new(name: &'static str, stack_bytes: usize, park: Duration) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            parked: 0,
            looking: 0,
            alive: 0,
            retry_after: None,
            stopping: false,
        };
        Self {
            shared: Arc::new(Shared {
                name,
                stack_bytes,
                park,
                state: Mutex::new(state),
                arrived: Condvar::new(),
                ended: Condvar::new(),
            }),
        }
    }

    /// Has a parked thread, or a new one, call `handler` with `subject` at once.
    ///
    /// # Errors
    /// The system makes no more threads, or made none a moment ago; the subject is handed back.
    pub(super) fn dispatch(&self, subject: T, handler: fn(T)) -> Result<(), SpawnError<T>> {
        let mut state = self.shared.lock();
        if state.parked > state.waiting.len() {
            let is_looked_for = state.looking > state.waiting.len();
            state.waiting.push_back(Work { subject, handler });
            drop(state);
            if !is_looked_for {
                self.shared.arrived.notify_one();
            }
            return Ok(());
        }
        if state.retry_after.is_some_and(|end| Instant::now() < end) {
            return Err(SpawnError { unstarted: subject, source: None });
        }
        state.waiting.push_back(Work { subject, handler });
        state.alive += 1;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let spawned = thread::Builder::new()
            .name(self.shared.name.to_owned())
            .stack_size(self.shared.stack_bytes)
            .spawn(move || shared.run());
        let Err(source) = spawned else { return Ok(()) };
        let mut state = self.shared.lock();
        state.alive -= 1;
        state.retry_after = Some(Instant::now() + SPAWN_BACKOFF);
        // A thread that finished meanwhile may have taken it: then all is well.
        match state.waiting.pop_back() {
            Some(work) => Err(SpawnError { unstarted: work.subject, source: Some(source) }),
            None => Ok(()),
        }
    }

    /// Lets parked threads end, and waits until no thread is left or the time is up; says how many
    /// are left.
    #[must_use]
    pub(super) fn finish(&self, timeout: Duration) -> usize {
        let mut state = self.shared.lock();
        state.stopping = true;
        self.shared.arrived.notify_all();
        let waited = self.shared.ended.wait_timeout_while(state, timeout, |state| state.alive > 0);
        waited.map_or_else(|poisoned| poisoned.into_inner().0.alive, |(state, _)| state.alive)
    }

    /// How many threads there are, and how many of them wait for work.
    #[must_use]
    pub(super) fn count(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.alive, state.parked)
    }
}

impl<T> Shared<T> {
    fn run(&self) {
        while let Some(Work { subject, handler }) = self.next() {
            // The panic hook has printed the message; what the work held is dropped by the unwinding.
            if catch_unwind(AssertUnwindSafe(|| handler(subject))).is_err() {
                log::error!("a {} thread panicked; its connection is closed", self.name);
            }
        }
        let mut state = self.lock();
        state.alive -= 1;
        drop(state);
        self.ended.notify_all();
    }

    /// Waits for work; `None` when none came in time.
    fn next(&self) -> Option<Work<T>> {
        let mut state = self.lock();
        if let Some(work) = state.waiting.pop_front() {
            return Some(work);
        }
        state.parked += 1;
        state.looking += 1;
        drop(state);
        thread::yield_now();
        let mut state = self.lock();
        state.looking -= 1;
        let idle = |state: &mut State<T>| state.waiting.is_empty() && !state.stopping;
        let waited = self.arrived.wait_timeout_while(state, self.park, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.parked -= 1;
        state.waiting.pop_front()
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
            while threads.count().1 == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(seen.len(), 1);
        assert_eq!(threads.finish(LONG), 0);
    }

    #[test]
    fn work_never_waits_for_other_work_to_finish() {
        let (sender, receiver) = mpsc::channel();
        let barrier = Arc::new(Barrier::new(4));
        let threads = Threads::new("test", STACK_BYTES, LONG);
        let meet = |(barrier, sender): (Arc<Barrier>, mpsc::Sender<()>)| {
            barrier.wait();
            sender.send(()).unwrap();
        };
        for _ in 0..4 {
            threads.dispatch((Arc::clone(&barrier), sender.clone()), meet).unwrap();
        }
        for _ in 0..4 {
            receiver.recv_timeout(LONG).expect("all four run at the same time");
        }
        assert_eq!(threads.finish(LONG), 0);
    }

    #[test]
    fn no_work_is_lost_between_a_look_and_sleep() {
        const WORK: usize = 20_000;
        let done = Arc::new(AtomicUsize::new(0));
        let count = |done: Arc<AtomicUsize>| {
            done.fetch_add(1, Ordering::SeqCst);
        };
        let threads = Threads::new("test", STACK_BYTES, LONG);
        for dispatched in 0..WORK {
            let begun = Instant::now();
            threads.dispatch(Arc::clone(&done), count).unwrap();
            // Now one piece of work comes upon the other, now the next meets only sleepers.
            let most_outstanding = dispatched % 8;
            while dispatched + 1 - done.load(Ordering::SeqCst) > most_outstanding {
                assert!(begun.elapsed() < LONG, "work was lost: {done:?} of {dispatched}");
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
    fn work_that_gets_no_thread_is_handed_back_and_none_is_attempted_for_a_while() {
        // A stack that no address space has room for.
        let threads = Threads::new("test", 1 << 60, LONG);
        let mut asked = Instant::now();
        let error = threads.dispatch("one", drop).unwrap_err();
        assert_eq!(error.unstarted, "one");
        assert!(error.source.is_some(), "it was attempted");
        let (begun, mut attempts) = (Instant::now(), 1);
        while attempts < 4 {
            assert!(begun.elapsed() < LONG, "none is attempted any more");
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
        assert_eq!(threads.count(), (0, 0));
        assert_eq!(threads.finish(LONG), 0);
    }

    #[test]
    fn a_thread_without_work_ends_after_its_time() {
        let threads = Threads::new("test", STACK_BYTES, Duration::from_millis(1));
        threads.dispatch((), drop).unwrap();
        let begun = Instant::now();
        while threads.count().0 > 0 {
            assert!(begun.elapsed() < LONG, "the thread never ends");
            thread::yield_now();
        }
    }
}
