//! The rejections that wait, and the threads that send them.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::places::{Place, Places};
use super::processor_share::ProcessorShare;
use crate::lock::lock;
use crate::server::limits::accepted_connection::AcceptedConnection;
use crate::server::limits::lingering::closer::LingeringCloser;
use crate::server::limits::lingering::encoded_response::EncodedResponse;
use crate::server::threads::{PARK_TIMEOUT, ThreadCount, Threads};
use crate::server::tls::acceptor::TlsAcceptor;

/// Most threads.
const MAX_THREADS: usize = 32;

/// Most threads for one client. Browsers open six connections, some of them before they have a request.
const MAX_THREADS_PER_CLIENT: usize = 8;

/// How long a connection waits for a thread, and then how long it may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long the end of the server waits for them: with the time to drain (8 s) and to close what is left, less than the
/// ten seconds after which Docker kills.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// All handshakes use at most a quarter of one processor.
const SHARE_DIVISOR: u32 = 4;

const STACK_BYTES: usize = 128 * 1024;

/// Has threads answer connections that are not served.
#[derive(Debug)]
pub(crate) struct TlsRejections {
    shared: Arc<Shared>,
    threads: Threads<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    acceptor: Arc<TlsAcceptor>,
    lingering: Arc<LingeringCloser>,
    share: ProcessorShare,
    /// Of those that wait and those that are answered.
    connections: Arc<Places>,
    /// Of those that are answered.
    answered: Arc<Places>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<TlsRejection>,
    threads: usize,
}

/// A connection that is not served, and its response.
#[derive(Debug)]
pub(crate) struct TlsRejection {
    pub(crate) accepted: AcceptedConnection,
    pub(crate) response: LastResponse,
    /// The connection is closed if it has not been begun to be answered by then.
    begin_by: Instant,
    answer: Answer,
    _place: Place,
}

/// Answers a connection.
pub(crate) type Answer = fn(&TlsRejector<'_>, TlsRejection);

/// A response to a client that may turn out not to speak TLS.
#[derive(Debug)]
pub(crate) struct LastResponse {
    pub(crate) encrypted: EncodedResponse,
    pub(crate) plain: EncodedResponse,
}

/// What is needed to answer a connection.
#[derive(Debug)]
pub(crate) struct TlsRejector<'s> {
    pub(crate) acceptor: &'s TlsAcceptor,
    pub(crate) lingering: &'s LingeringCloser,
    /// The connection is closed then in any case.
    pub(crate) deadline: Instant,
    share: &'s ProcessorShare,
}

impl TlsRejections {
    /// At most `capacity` connections wait or are answered, a quarter of them of one client.
    pub(crate) fn new(
        acceptor: Arc<TlsAcceptor>,
        lingering: Arc<LingeringCloser>,
        capacity: usize,
    ) -> Self {
        let per_client = (capacity / 4).max(MAX_THREADS_PER_CLIENT);
        let shared = Shared {
            acceptor,
            lingering,
            share: ProcessorShare::one_in(SHARE_DIVISOR),
            connections: Places::new(capacity, per_client),
            answered: Places::new(MAX_THREADS, MAX_THREADS_PER_CLIENT),
            state: Mutex::default(),
        };
        let threads = Threads::new("rejection", STACK_BYTES, PARK_TIMEOUT);
        Self { shared: Arc::new(shared), threads }
    }

    /// Has a thread call `answer` with the connection, or, beyond the bounds, closes it. Does not wait for that.
    pub(crate) fn add(&self, accepted: AcceptedConnection, response: LastResponse, answer: Answer) {
        let client = client_of(&accepted);
        let Some(place) = self.shared.connections.take(client) else { return };
        let begin_by = Instant::now() + TIMEOUT;
        let rejection = TlsRejection { accepted, response, begin_by, answer, _place: place };
        if !self.shared.add(rejection) {
            return;
        }
        if let Err(error) = self.threads.dispatch(Arc::clone(&self.shared), |shared| shared.run()) {
            error.unstarted.abandon();
        }
    }

    /// How many threads there are at present.
    pub(crate) fn thread_count(&self) -> ThreadCount {
        self.threads.count()
    }

    /// Waits a moment for the connections that are being answered.
    pub(crate) fn finish(&self) {
        if self.threads.finish(END_TIMEOUT) > 0 {
            log::debug!("rejections are left for the end of the process");
        }
    }
}

/// `None` while the client is not known: all that come through one proxy are not one client.
fn client_of(accepted: &AcceptedConnection) -> Option<IpAddr> {
    accepted.client.map(|client| client.key)
}

impl Shared {
    /// Adds a connection to those that wait; true if the caller is to start a thread.
    fn add(&self, rejection: TlsRejection) -> bool {
        let mut state = lock(&self.state);
        state.waiting.push_back(rejection);
        let starts = state.threads < MAX_THREADS;
        state.threads += usize::from(starts);
        starts
    }

    /// No thread could be started: without any, nobody answers those that wait.
    fn abandon(&self) {
        let mut state = lock(&self.state);
        state.threads -= 1;
        if state.threads == 0 {
            state.waiting.clear();
        }
    }

    /// Answers connections until none is left that this thread may answer.
    fn run(&self) {
        let mut thread = RunningThread { shared: self, has_ended: false };
        while let Some((rejection, _place)) = thread.next() {
            let rejector = TlsRejector {
                acceptor: &self.acceptor,
                lingering: &self.lingering,
                deadline: Instant::now() + TIMEOUT,
                share: &self.share,
            };
            (rejection.answer)(&rejector, rejection);
        }
    }
}

impl State {
    /// Takes the first that waits and whose client has not its most threads. Those of such a client are taken when one
    /// of these threads has finished. Closes those that are late.
    fn next(&mut self, answered: &Arc<Places>, now: Instant) -> Option<(TlsRejection, Place)> {
        self.waiting.retain(|rejection| now < rejection.begin_by);
        let places =
            self.waiting.iter().map(|rejection| answered.take(client_of(&rejection.accepted)));
        let (at, place) = places.enumerate().find_map(|(at, place)| Some((at, place?)))?;
        Some((self.waiting.remove(at)?, place))
    }
}

/// One of the threads, counted until it finds nothing to do, or panics.
struct RunningThread<'s> {
    shared: &'s Shared,
    has_ended: bool,
}

impl RunningThread<'_> {
    fn next(&mut self) -> Option<(TlsRejection, Place)> {
        let mut state = lock(&self.shared.state);
        let next = state.next(&self.shared.answered, Instant::now());
        if next.is_none() {
            // Under the same lock, so that what is added later finds that there is one thread less.
            state.threads -= 1;
            self.has_ended = true;
        }
        next
    }
}

impl Drop for RunningThread<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            lock(&self.shared.state).threads -= 1;
        }
    }
}

impl TlsRejector<'_> {
    /// Calls `compute` once the share of a processor allows it, and charges it with the time that this thread uses;
    /// `None` if that would not be before the deadline.
    pub(crate) fn within_share<T>(&self, compute: impl FnOnce() -> T) -> Option<T> {
        if !self.share.wait(self.deadline) {
            return None;
        }
        let begun = processor_time();
        let result = compute();
        self.share.record(processor_time().saturating_sub(begun));
        Some(result)
    }
}

/// The processor time that this thread has used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::server::limits::accepted_connection::Purpose;
    use crate::server::limits::client::{Client, Location};
    use crate::server::tls::acceptor::TlsSettings;
    use crate::server::tls::test_certificates::{leaf, self_signed, write};

    /// Per client a quarter.
    const CAPACITY: usize = 4 * (MAX_THREADS_PER_CLIENT + 2);

    fn rejections() -> TlsRejections {
        let directory = tempfile::tempdir().unwrap();
        let files = write(directory.path(), "a", &self_signed(&leaf(&["localhost"])));
        let acceptor = TlsAcceptor::new(TlsSettings { pairs: vec![files] }).unwrap();
        let lingering = LingeringCloser::new(8).unwrap();
        TlsRejections::new(Arc::new(acceptor), Arc::new(lingering), CAPACITY)
    }

    /// Adds a connection of a client, which is sent a byte and then kept until its peer closes it.
    fn add(rejections: &TlsRejections, client: u8) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let address = [127, 0, 0, client].into();
        let client = Client { key: address, address, exempt: false, location: Location::Elsewhere };
        let accepted = AcceptedConnection {
            stream: Arc::new(listener.accept().unwrap().0),
            purpose: Purpose::Files,
            peer: address,
            client: Some(client),
            accepted_at: Instant::now(),
            session: None,
            received: None,
        };
        let response = || EncodedResponse::new(Vec::new(), b"");
        let response = LastResponse { encrypted: response(), plain: response() };
        rejections.add(accepted, response, |_, rejection| {
            let mut stream = &*rejection.accepted.stream;
            let _ = stream.write_all(b"!");
            let _ = stream.read(&mut [0]);
        });
        peer
    }

    fn is_answered(peer: &mut TcpStream, within: Duration) -> bool {
        peer.set_read_timeout(Some(within)).unwrap();
        peer.read(&mut [0]).is_ok_and(|count| count == 1)
    }

    #[test]
    fn a_client_has_its_most_threads_and_others_wait_for_them_or_are_closed() {
        const LONG: Duration = Duration::from_secs(60);
        const SHORT: Duration = Duration::from_millis(100);
        let rejections = rejections();
        let added_at = Instant::now();
        let mut peers: Vec<_> = (0..=CAPACITY / 4).map(|_| add(&rejections, 1)).collect();
        let mut beyond = peers.pop().unwrap();
        beyond.set_read_timeout(Some(LONG)).unwrap();
        assert_eq!(beyond.read(&mut [0]).unwrap(), 0, "it is closed");
        let mut waiting = peers.split_off(MAX_THREADS_PER_CLIENT);
        assert!(peers.iter_mut().all(|peer| is_answered(peer, LONG)));
        assert!(!waiting.iter_mut().any(|peer| is_answered(peer, SHORT)), "they wait");
        assert!(
            is_answered(&mut add(&rejections, 2), LONG),
            "another client has threads of its own"
        );
        // One finishes: the next is begun, unless it had its time on a busy machine.
        drop(peers.pop());
        let is_begun = is_answered(&mut waiting[0], LONG);
        assert!(is_begun || added_at.elapsed() >= TIMEOUT, "{:?}", added_at.elapsed());
        drop((peers, waiting));
        rejections.finish();
        assert_eq!(lock(&rejections.shared.state).threads, 0);
    }
}
