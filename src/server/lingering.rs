//! Closing a connection so that the peer can still read its last answer.
//!
//! Closing a socket that holds unread input makes the kernel send RST, and RST makes the peer's kernel
//! throw away what the peer has not read yet: the answer that says why it is closed. So the sending
//! half is closed first, and the rest of what the peer sends is read and discarded for a while
//! (RFC 9112 §9.6). One thread does this for all such sockets, away from the accept loop and outside
//! the clients' slots; their number is bounded, and the oldest is given up for the newest.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::net::RecvFlags;

/// How long a peer may take to close its side.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often what the peers have sent is discarded.
const SWEEP: Duration = Duration::from_millis(50);

/// Most bytes discarded of one socket in one sweep, so that a flood on one does not starve the rest.
const SWEEP_BYTES: usize = 256 * 1024;

/// The sockets that linger, and the thread that attends to them.
#[derive(Debug)]
pub(super) struct Lingering {
    shared: Arc<Shared>,
    /// `None` once it has ended.
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of their deadlines.
    sockets: VecDeque<(Arc<TcpStream>, Instant)>,
    /// Older ones, which the thread has taken out to attend to them.
    attended: usize,
    stopping: bool,
}

impl Lingering {
    /// Starts the thread, which lets at most `capacity` sockets linger.
    ///
    /// # Errors
    /// The system makes no thread.
    pub(super) fn start(capacity: usize) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { capacity, state: Mutex::default(), changed: Condvar::new() });
        let attending = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("lingering".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || attending.attend())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Closes the connection once the peer has, or has had its time; does not wait for it.
    pub(super) fn close(&self, stream: impl Into<Arc<TcpStream>>) {
        let stream = stream.into();
        // An error here means that the connection is gone already.
        if stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let mut state = self.shared.lock();
        if state.stopping {
            drop(state);
            discard(&stream);
            return;
        }
        // With sockets to attend to, the thread does not wait to be told of one.
        let wakes = state.count() == 0;
        state.sockets.push_back((stream, Instant::now() + PATIENCE));
        let given_up =
            if state.count() > self.shared.capacity { state.sockets.pop_front() } else { None };
        drop(state);
        if wakes {
            self.shared.changed.notify_one();
        }
        if let Some((stream, _)) = given_up {
            discard(&stream);
        }
    }

    /// Closes what lingers, at once, and returns when that is done: the end of the process would close
    /// it as well, and have the kernel take back what is still on its way to peers that have sent more.
    pub(super) fn end(&self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has not panicked: nothing in it may; and if it has, there is nothing left to close.
            let _ = thread.join();
        }
    }

    /// How many sockets linger at present.
    #[must_use]
    pub(super) fn count(&self) -> usize {
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
        self.attended + self.sockets.len()
    }
}

impl Shared {
    fn attend(&self) {
        let mut state = self.lock();
        loop {
            let nothing = |state: &mut State| state.sockets.is_empty() && !state.stopping;
            state = self.changed.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
            if state.stopping {
                for (stream, _) in state.sockets.drain(..) {
                    discard(&stream);
                }
                return;
            }
            // A flood takes its time to be discarded, and the accept loop must not wait for that.
            let mut sockets = std::mem::take(&mut state.sockets);
            state.attended = sockets.len();
            drop(state);
            let now = Instant::now();
            sockets.retain(|(stream, deadline)| discard(stream) == Peer::There && now < *deadline);
            state = self.lock();
            sockets.append(&mut state.sockets);
            state.sockets = sockets;
            state.attended = 0;
            drop(state);
            thread::sleep(SWEEP);
            state = self.lock();
        }
    }

    /// No code that may panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(PartialEq, Eq)]
enum Peer {
    There,
    Gone,
}

/// Reads what the peer has sent, without waiting, and forgets it.
fn discard(stream: &TcpStream) -> Peer {
    let mut scratch = [0_u8; 8 * 1024];
    for _ in 0..SWEEP_BYTES / scratch.len() {
        match rustix::net::recv(stream, &mut scratch, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Peer::Gone,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return Peer::There,
            Err(_) => return Peer::Gone,
        }
    }
    Peer::There
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// The two ends of a connection: the peer's, and the one to be closed.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        (peer, listener.accept().unwrap().0)
    }

    fn wait_for(condition: impl Fn() -> bool) {
        let begun = Instant::now();
        while !condition() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it never comes");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn an_answer_outlives_a_request_that_nobody_read() {
        let lingering = Lingering::start(4).unwrap();
        let (mut peer, mut stream) = connection();
        peer.write_all(&vec![b'x'; 100_000]).unwrap();
        stream.write_all(b"answer").unwrap();
        lingering.close(stream);
        peer.write_all(b"more").unwrap();
        let mut answer = String::new();
        peer.read_to_string(&mut answer).expect("the answer and then the end, no reset");
        assert_eq!(answer, "answer");
        assert_eq!(lingering.count(), 1);
        drop(peer);
        wait_for(|| lingering.count() == 0);
    }

    #[test]
    fn at_the_end_answers_that_are_on_their_way_arrive() {
        let lingering = Lingering::start(4).unwrap();
        // Has the thread pause before it looks at the next.
        let (_other, stream) = connection();
        lingering.close(stream);
        let (mut peer, mut stream) = connection();
        stream.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(count) = stream.write(&[7; 8 * 1024]) {
            written += count;
        }
        peer.write_all(b"a next request").unwrap();
        lingering.close(stream);
        lingering.end();
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).expect("the answer and then the end, no reset");
        assert_eq!(answer.len(), written);
        let (mut late, stream) = connection();
        lingering.close(stream);
        assert_eq!(late.read(&mut [0]).unwrap(), 0, "what comes later is closed as well");
        assert_eq!(lingering.count(), 0);
    }

    #[test]
    fn a_peer_that_never_closes_is_given_up() {
        let lingering = Lingering::start(4).unwrap();
        let (_peer, stream) = connection();
        lingering.close(stream);
        wait_for(|| lingering.count() == 0);
    }

    #[test]
    fn beyond_its_capacity_the_oldest_is_closed() {
        let lingering = Lingering::start(2).unwrap();
        let peers: Vec<TcpStream> = (0..5)
            .map(|_| {
                let (peer, mut stream) = connection();
                stream.write_all(b"answer").unwrap();
                lingering.close(stream);
                assert!(lingering.count() <= 2);
                peer
            })
            .collect();
        for mut peer in peers {
            let mut answer = String::new();
            peer.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "answer");
        }
    }
}
