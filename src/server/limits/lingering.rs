//! Connections that are not served, or no longer: their last answer, and a close that leaves it whole.
//!
//! A connection beyond a limit is told so once its request's head is there, so that the answer has a
//! request to answer: clients drop a response that comes unasked, and a response to `HEAD` has no
//! content. A client that sends none is told after a second.
//!
//! Closing a socket that holds unread input makes the kernel send RST, and RST makes the peer's kernel
//! throw away what the peer has not read yet: the answer. So the sending half is closed first, and
//! what the peer still sends is read and discarded for a while (RFC 9112 §9.6).
//!
//! ```text
//! rejected ─▶ waiting ─▶ answered ─▶ lingering ─▶ closed
//!                served and ended ──────▲
//! ```
//!
//! One thread does this for all such sockets, outside the clients' slots; it ends when there has been none
//! for a while. Their number is bounded: for one too many the oldest that waits is answered at once, and
//! the oldest that lingers is closed. The accept loop does that itself, so that sockets cannot come faster
//! than they go; and the thread takes out one socket at a time to read from it, so that the bound holds for
//! all others meanwhile.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::closing::{GLANCE_BYTES, Head, Lingerer, Received, Waiting, discard};
use super::final_answer::FinalAnswer;
use crate::server::threads::{PARK_TIMEOUT, Threads};

/// The pause between two rounds, so that a flood is attended to in batches.
const PAUSE: Duration = Duration::from_millis(1);

/// So much longer for each socket, as each round looks at all of them.
const PAUSE_EACH: Duration = Duration::from_micros(1);

const STACK_BYTES: usize = 64 * 1024;

/// How long the end of the server waits for the thread, which itself waits for nobody.
const LAST_ROUND: Duration = Duration::from_secs(10);

/// The sockets that wait or linger, and the thread that attends to them.
#[derive(Debug)]
pub(crate) struct Lingering {
    shared: Arc<Shared>,
    /// At most one is at work.
    thread: Threads<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    /// Most sockets that wait or linger.
    capacity: usize,
    state: Mutex<State>,
    /// A byte in it ends the thread's wait.
    wake: PipeWriter,
    woken: PipeReader,
}

/// Sockets by the order in which they came.
#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<u64, Waiting>,
    lingering: BTreeMap<u64, Lingerer>,
    /// The thread has taken another out to attend to it.
    is_one_taken: bool,
    next: u64,
    stage: Stage,
    /// There is a byte in the pipe, or about to be.
    is_woken: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// There is no socket, and the thread has nothing to do.
    #[default]
    Resting,
    /// The thread is at work.
    Attended,
    /// All are closed at once, also those that come later.
    Ending,
}

impl Lingering {
    /// Uses at most `descriptors` for sockets. Half of them are for sockets that were closed while the
    /// thread was waiting for their input.
    ///
    /// # Errors
    /// The system makes no pipe.
    pub(crate) fn new(descriptors: usize) -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        let capacity = (descriptors / 2).max(1);
        let shared = Arc::new(Shared { capacity, state: Mutex::default(), wake, woken });
        let thread = Threads::new("lingering", STACK_BYTES, PARK_TIMEOUT);
        Ok(Self { shared, thread })
    }

    /// Answers the connection's request once its head is there, of which some may have been received,
    /// or after a second without one, and closes it; does not wait for any of that.
    pub(crate) fn answer(
        &self,
        stream: impl Into<Arc<TcpStream>>,
        received: Received,
        answer: FinalAnswer,
    ) {
        let waiting = Waiting::new(stream.into(), received, answer, Instant::now());
        if waiting.is_answerable() {
            return self.send_and_linger(&waiting);
        }
        let mut state = self.shared.lock();
        if state.stage == Stage::Ending {
            drop(state);
            waiting.send_and_close();
            return;
        }
        let key = state.next_key();
        state.waiting.insert(key, waiting);
        let is_full = state.waiting.len() > self.shared.waiting_capacity();
        let oldest = if is_full { state.waiting.pop_first() } else { None };
        let surplus = state.take_surplus(self.shared.capacity);
        self.call_thread(state);
        surplus.iter().for_each(Lingerer::discard_before_close);
        if let Some((_, mut oldest)) = oldest
            // Its request may have come since the thread last looked.
            && oldest.read_head(&mut [0; GLANCE_BYTES]) != Head::Gone
        {
            self.send_and_linger(&oldest);
        }
    }

    fn send_and_linger(&self, waiting: &Waiting) {
        if waiting.send() {
            self.linger(Arc::clone(&waiting.stream));
        }
    }

    /// Closes the connection once the peer has, or has had its time; does not wait for it.
    pub(crate) fn close(&self, stream: impl Into<Arc<TcpStream>>) {
        let stream = stream.into();
        // An error here means that the connection is gone already.
        if stream.shutdown(Shutdown::Write).is_ok() {
            self.linger(stream);
        }
    }

    /// Takes a connection whose sending half is closed.
    fn linger(&self, stream: Arc<TcpStream>) {
        let mut state = self.shared.lock();
        if state.stage == Stage::Ending {
            drop(state);
            discard(&stream);
            return;
        }
        let key = state.next_key();
        state.lingering.insert(key, Lingerer::new(stream, Instant::now()));
        let surplus = state.take_surplus(self.shared.capacity);
        self.call_thread(state);
        surplus.iter().for_each(Lingerer::discard_before_close);
    }

    /// Releases the lock and has the thread attend to what was added.
    fn call_thread(&self, mut state: MutexGuard<'_, State>) {
        if state.stage == Stage::Attended {
            return self.shared.wake(state);
        }
        state.stage = Stage::Attended;
        drop(state);
        if self.thread.dispatch(Arc::clone(&self.shared), |shared| shared.attend()).is_err() {
            // There is no thread to be had: all are answered and closed at once.
            self.shared.end_all();
        }
    }

    /// Answers those that wait and closes all, at once, and returns when that is done: the end of the
    /// process would close them as well, and have the kernel take back what is still on its way to
    /// peers that have sent more.
    pub(crate) fn end(&self) {
        let mut state = self.shared.lock();
        state.stage = Stage::Ending;
        self.shared.wake(state);
        if self.thread.finish(LAST_ROUND) > 0 {
            log::debug!("the last connections are closed by the end of the process");
        }
    }

    /// How many sockets wait or linger at present.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.shared.lock().count()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        self.end();
    }
}

impl State {
    fn count(&self) -> usize {
        self.waiting.len() + self.lingering.len() + usize::from(self.is_one_taken)
    }

    fn next_key(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// There is no socket any more. A map that was emptied keeps a piece of the heap of a thread that may
    /// have ended: neither is left.
    fn rest(&mut self) {
        if self.stage == Stage::Attended {
            self.stage = Stage::Resting;
        }
        (self.waiting, self.lingering) = (BTreeMap::new(), BTreeMap::new());
    }

    /// Takes out the oldest that linger, as many as there are sockets beyond the capacity.
    fn take_surplus(&mut self, capacity: usize) -> Vec<Lingerer> {
        let count = self.count().saturating_sub(capacity);
        let oldest = std::iter::from_fn(|| self.lingering.pop_first());
        oldest.take(count).map(|(_, lingerer)| lingerer).collect()
    }

    /// All sockets, and the first time at which something is to be done without their input.
    fn sockets(&self) -> (Vec<(u64, Arc<TcpStream>)>, Option<Instant>) {
        let waiting = self.waiting.iter().map(|(key, waiting)| (key, &waiting.stream));
        let lingering = self.lingering.iter().map(|(key, lingerer)| (key, &lingerer.stream));
        let sockets = waiting.chain(lingering).map(|(key, stream)| (*key, Arc::clone(stream)));
        let deadlines = self.waiting.values().map(|waiting| waiting.deadline);
        let ends = self.lingering.values().map(Lingerer::end);
        (sockets.collect(), deadlines.chain(ends).min())
    }

    /// The sockets whose time is over.
    fn overdue(&self, now: Instant) -> Vec<u64> {
        let waiting = self.waiting.iter().filter(|(_, waiting)| waiting.deadline <= now);
        let lingering = self.lingering.iter().filter(|(_, lingerer)| lingerer.end() <= now);
        waiting.map(|(key, _)| *key).chain(lingering.map(|(key, _)| *key)).collect()
    }

    /// Takes out a socket, unless it has been answered or closed meanwhile.
    fn take(&mut self, key: u64) -> Option<Taken> {
        let waiting = self.waiting.remove(&key).map(Taken::Waiting);
        let taken = waiting.or_else(|| self.lingering.remove(&key).map(Taken::Lingering));
        self.is_one_taken = taken.is_some();
        taken
    }
}

/// A socket that the thread attends to.
enum Taken {
    Waiting(Waiting),
    Lingering(Lingerer),
}

impl Taken {
    /// Takes the steps that its input and the time allow; `None` when it is to be closed.
    fn attend(self, scratch: &mut [u8], now: Instant) -> Option<Self> {
        match self {
            Self::Waiting(mut waiting) => match waiting.read_head(scratch) {
                Head::Incomplete if now < waiting.deadline => Some(Self::Waiting(waiting)),
                Head::Incomplete | Head::Complete if waiting.send() => {
                    Some(Self::Lingering(Lingerer::new(waiting.stream, now)))
                }
                _ => None,
            },
            Self::Lingering(mut lingerer) => {
                lingerer.discard(scratch, now).then_some(Self::Lingering(lingerer))
            }
        }
    }
}

impl Shared {
    /// Most sockets that wait. The others are for those that linger, which have had their answer.
    fn waiting_capacity(&self) -> usize {
        self.capacity / 4 * 3
    }

    /// The work of the thread: rounds over all sockets, until there is none or it is to stop.
    fn attend(&self) {
        let mut scratch = vec![0; 64 * 1024];
        loop {
            let mut state = self.lock();
            if state.stage == Stage::Ending {
                break;
            }
            if state.count() == 0 {
                state.rest();
                return;
            }
            let (sockets, deadline) = state.sockets();
            drop(state);
            let ready = wait_for_input(&self.woken, &sockets, deadline);
            let count = u32::try_from(sockets.len()).unwrap_or(u32::MAX);
            // The last reference to a socket that was closed meanwhile.
            drop(sockets);
            if ready.is_woken {
                self.lock().is_woken = false;
            }
            self.attend_to(&ready.sockets, &mut scratch);
            thread::sleep(PAUSE + PAUSE_EACH * count);
        }
        self.end_all();
    }

    /// Answers those that wait and closes all.
    fn end_all(&self) {
        let mut state = self.lock();
        let waiting = std::mem::take(&mut state.waiting);
        let lingering = std::mem::take(&mut state.lingering);
        state.rest();
        drop(state);
        waiting.into_values().for_each(Waiting::send_and_close);
        for lingerer in lingering.into_values() {
            discard(&lingerer.stream);
        }
    }

    /// Reads from the sockets that are ready and ends those whose time is over. A flood takes its time
    /// to be read, and the accept loop must not wait for that: so the lock is not held meanwhile.
    fn attend_to(&self, ready: &[u64], scratch: &mut [u8]) {
        let overdue = self.lock().overdue(Instant::now());
        for key in ready.iter().chain(&overdue) {
            let taken = self.lock().take(*key);
            let remaining = taken.and_then(|taken| taken.attend(scratch, Instant::now()));
            let mut state = self.lock();
            state.is_one_taken = false;
            match remaining {
                Some(Taken::Waiting(waiting)) => {
                    state.waiting.insert(*key, waiting);
                }
                Some(Taken::Lingering(lingerer)) => {
                    state.lingering.insert(*key, lingerer);
                }
                None => {}
            }
        }
    }

    /// Releases the lock and ends the thread's wait, if it waits.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let is_woken = std::mem::replace(&mut state.is_woken, true);
        drop(state);
        if !is_woken {
            // It fails only where the thread has ended.
            let _ = (&self.wake).write(&[0]);
        }
    }

    /// No code that may panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What ended a wait.
#[derive(Debug, Default)]
struct Ready {
    is_woken: bool,
    /// The keys of the sockets that have input or have ended, in ascending order.
    sockets: Vec<u64>,
}

/// Waits until one of the sockets has input, the thread is woken or the time has come.
fn wait_for_input(
    mut woken: &PipeReader,
    sockets: &[(u64, Arc<TcpStream>)],
    deadline: Option<Instant>,
) -> Ready {
    let remaining = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let timeout = remaining.and_then(|remaining| Timespec::try_from(remaining).ok());
    let fds = sockets.iter().map(|(_, stream)| stream.as_fd());
    let fds = std::iter::once(woken.as_fd()).chain(fds);
    let mut fds: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    // A failure, such as an interruption, means only that nothing is ready yet.
    let count = poll(&mut fds, timeout.as_ref()).unwrap_or(0);
    if count == 0 {
        return Ready::default();
    }
    let mut has_event = fds.iter().map(|fd| !fd.revents().is_empty());
    let is_woken = has_event.next().unwrap_or(false);
    let ready = sockets.iter().zip(has_event).filter(|(_, has_event)| *has_event);
    let mut sockets: Vec<_> = ready.map(|((key, _), _)| *key).collect();
    sockets.sort_unstable();
    if is_woken {
        // One byte at most is in it.
        let _ = woken.read(&mut [0]);
    }
    Ready { is_woken, sockets }
}

#[cfg(test)]
mod tests;
