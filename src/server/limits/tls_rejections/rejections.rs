//! The threads that send rejections over TLS.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::places::{Place, Places};
use super::processor_share::ProcessorShare;
use crate::server::limits::accepted_connection::AcceptedConnection;
use crate::server::limits::lingering::closer::LingeringCloser;
use crate::server::limits::lingering::encoded_response::EncodedResponse;
use crate::server::threads::{PARK_TIMEOUT, Threads};
use crate::server::tls::acceptor::TlsAcceptor;

/// Most connections at a time.
pub(crate) const MAX_REJECTIONS: usize = 32;

/// How long each may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// All handshakes use at most a quarter of one processor.
const SHARE_DIVISOR: u32 = 4;

const STACK_BYTES: usize = 128 * 1024;

/// Has threads answer connections that are not served.
#[derive(Debug)]
pub(crate) struct TlsRejections {
    acceptor: Arc<TlsAcceptor>,
    lingering: Arc<LingeringCloser>,
    places: Arc<Places>,
    share: Arc<ProcessorShare>,
    threads: Threads<TlsRejection>,
}

/// A connection that is not served, and its response.
#[derive(Debug)]
pub(crate) struct TlsRejection {
    pub(crate) acceptor: Arc<TlsAcceptor>,
    pub(crate) lingering: Arc<LingeringCloser>,
    pub(crate) accepted: AcceptedConnection,
    pub(crate) response: LastResponse,
    /// The connection is closed then in any case.
    pub(crate) deadline: Instant,
    share: Arc<ProcessorShare>,
    _place: Place,
}

/// A response to a client that may turn out not to speak TLS.
#[derive(Debug)]
pub(crate) struct LastResponse {
    pub(crate) encrypted: EncodedResponse,
    pub(crate) plain: EncodedResponse,
}

impl TlsRejections {
    /// At most `capacity` connections are answered at a time, and no more than [`MAX_REJECTIONS`].
    pub(crate) fn new(
        acceptor: Arc<TlsAcceptor>,
        lingering: Arc<LingeringCloser>,
        capacity: usize,
    ) -> Self {
        Self {
            acceptor,
            lingering,
            places: Places::new(capacity.min(MAX_REJECTIONS)),
            share: Arc::new(ProcessorShare::one_in(SHARE_DIVISOR)),
            threads: Threads::new("rejection", STACK_BYTES, PARK_TIMEOUT),
        }
    }

    /// Has a thread call `answer` with the connection, or, beyond the bounds, closes it. Does not wait for that.
    pub(crate) fn begin(
        &self,
        accepted: AcceptedConnection,
        response: LastResponse,
        answer: fn(TlsRejection),
    ) {
        let client = accepted.client.map_or(accepted.peer, |client| client.key);
        let Some(place) = self.places.take(client) else {
            return self.lingering.close(accepted.stream);
        };
        let rejection = TlsRejection {
            acceptor: Arc::clone(&self.acceptor),
            lingering: Arc::clone(&self.lingering),
            accepted,
            response,
            deadline: Instant::now() + TIMEOUT,
            share: Arc::clone(&self.share),
            _place: place,
        };
        if let Err(error) = self.threads.dispatch(rejection, answer) {
            self.lingering.close(error.unstarted.accepted.stream);
        }
    }

    /// Waits until all connections are answered, which takes at most the time for each.
    pub(crate) fn finish(&self) {
        if self.threads.finish(TIMEOUT) > 0 {
            log::debug!("rejections are left for the end of the process");
        }
    }
}

impl TlsRejection {
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
