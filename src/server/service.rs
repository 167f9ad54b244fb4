//! What all connections share, and the way of a connection through it: admitted or rejected, served,
//! closed.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use socket2::SockRef;

use super::access_log::AccessLog;
use super::admission::{Admission, Enforcement, Permit, Rejection, Scope};
use super::answer::Answerer;
use super::config::{Policy, Timeouts};
use super::connection::{self, Connection};
use super::identity::{Client, Identification};
use super::lingering::Lingering;
use super::log_sink::LogHandle;
use super::observation::StatusAccess;
use super::pace::Rates;
use super::registry::{Live, Registry};
use super::rejection::{dismiss, policy, without_thread};
use super::rejection_log::RejectionLog;
use super::response::Response;
use super::tally::Tally;
use super::threads::Threads;
use crate::http::CloseReason;
use crate::net::Input;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) answerer: Answerer,
    pub(super) admission: Arc<Admission>,
    pub(super) identification: Identification,
    pub(super) policy: Policy,
    pub(super) timeouts: Timeouts,
    pub(super) rates: Rates,
    pub(super) access_log: AccessLog,
    pub(super) registry: Arc<Registry>,
    pub(super) rejections: RejectionLog,
    pub(super) lingering: Arc<Lingering>,
    pub(super) tally: Tally,
    /// The value of `RateLimit-Policy` in responses to clients that have a limit.
    pub(super) advertised: String,
    pub(super) status: Option<StatusAccess>,
    pub(super) logs: Vec<LogHandle>,
    pub(super) started: SystemTime,
    pub(super) since: Instant,
    /// The threads that serve: they know the service, so it must not keep them.
    threads: OnceLock<Weak<Threads<Arrival>>>,
    stopping: AtomicBool,
}

/// A connection that was accepted and may be served, unless its client turns out to hold too many.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) permit: Permit,
    /// `None` where the peer is a proxy that has yet to say for whom it speaks.
    pub(super) client: Option<Client>,
    /// It is here in spite of this rejection, to see the status and nothing else.
    pub(super) reserved: Option<Rejection>,
}

/// How often each client's rejections are told.
const REJECTION_PERIOD: Duration = Duration::from_secs(60);

impl Service {
    pub(super) fn new(
        answerer: Answerer,
        admission: Arc<Admission>,
        lingering: Arc<Lingering>,
        config: &super::ServerConfig,
    ) -> Self {
        let advertised = policy(Scope::Client, admission.limits().per_client);
        Self {
            answerer,
            admission,
            identification: config.identification.clone(),
            policy: config.policy,
            timeouts: config.timeouts,
            rates: config.rates,
            access_log: config.access_log.clone(),
            registry: Arc::default(),
            rejections: RejectionLog::new(REJECTION_PERIOD, config.policy.enforcement),
            lingering,
            tally: Tally::default(),
            advertised,
            status: config.status.clone(),
            logs: config.logs.clone(),
            started: SystemTime::now(),
            since: Instant::now(),
            threads: OnceLock::new(),
            stopping: AtomicBool::new(false),
        }
    }

    pub(super) fn know_threads(&self, threads: &Arc<Threads<Arrival>>) {
        let known = self.threads.set(Arc::downgrade(threads));
        debug_assert!(known.is_ok(), "a service has one set of threads");
    }

    /// How many threads serve connections, and how many of them wait for their next.
    pub(super) fn threads(&self) -> (usize, usize) {
        let threads = self.threads.get().and_then(Weak::upgrade);
        threads.map_or((0, 0), |threads| threads.count())
    }

    /// From so many connections on, none is kept for another request: above three quarters of the
    /// total, or, where that is only tried out, of what the descriptors bear.
    pub(super) fn crowded_from(&self) -> usize {
        let total =
            if self.enforces() { self.admission.limits().total } else { self.policy.capacity };
        total.saturating_mul(3) / 4 + 1
    }

    /// The limits are more than tried out.
    pub(super) fn enforces(&self) -> bool {
        self.policy.enforcement == Enforcement::Enforced
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Decides whether a connection may be served. One that may not is answered and closed here.
    pub(super) fn receive(&self, stream: TcpStream, peer: SocketAddr) -> Option<Arrival> {
        self.tally.connections.one();
        let client = (!self.identification.is_proxy(peer.ip()))
            .then(|| self.identification.client(peer.ip()));
        let (permit, reserved) = match self.admit(client) {
            Ok(permit) => (permit, None),
            Err(rejection) => {
                let Some(permit) = self.admit_to_reserve(client) else {
                    self.reject(stream, &rejection);
                    return None;
                };
                (permit, Some(rejection))
            }
        };
        Some(Arrival { stream, peer, permit, client, reserved })
    }

    /// Takes a slot, if need be and allowed from a connection that is idle.
    fn admit(&self, client: Option<Client>) -> Result<Permit, Rejection> {
        let admit = || match client {
            Some(client) => self.admission.admit(client),
            None => self.admission.admit_unidentified(),
        };
        let mut admitted = admit();
        if let Err(rejection) = &admitted
            && self.reclaim(rejection)
        {
            admitted = admit();
        }
        match admitted {
            Err(rejection)
                if !self.enforces() && self.admission.held().0 < self.policy.capacity =>
            {
                self.note_would_reject(&rejection);
                Ok(self.admission.admit_regardless(client))
            }
            admitted => admitted,
        }
    }

    /// Lets in who may see the status, also when the server is full.
    fn admit_to_reserve(&self, client: Option<Client>) -> Option<Permit> {
        let (access, client) = (self.status.as_ref()?, client?);
        access.allows(client.address).then(|| self.admission.admit_to_reserve()).flatten()
    }

    /// Frees the slot that a rejection lacks, of the client's oldest idle connection or of anyone's,
    /// where that is wanted. Limits that are only tried out close nothing.
    fn reclaim(&self, rejection: &Rejection) -> bool {
        if !self.policy.reclaim_idle || !self.enforces() {
            return false;
        }
        let reclaimed = self.registry.reclaim(rejection.among()).is_some();
        if reclaimed {
            self.tally.reclaimed.one();
        }
        reclaimed
    }

    fn note_would_reject(&self, rejection: &Rejection) {
        self.tally.would_reject.one();
        self.rejections.note(rejection);
    }

    fn reject(&self, stream: impl Into<Arc<TcpStream>>, rejection: &Rejection) {
        dismiss(stream, &self.answer_rejected(rejection), &self.lingering);
    }

    /// Counts a rejection and says what its client is told.
    pub(super) fn answer_rejected(&self, rejection: &Rejection) -> Response {
        self.tally.rejected(rejection.scope);
        self.rejections.note(rejection);
        rejection.response(self.registry.activity(rejection.among()))
    }

    /// Answers a connection for which the system gives no thread.
    pub(super) fn dismiss_without_thread(&self, arrival: Arrival) {
        self.tally.spawn_failures.one();
        let Arrival { stream, permit, .. } = arrival;
        drop(permit);
        dismiss(stream, &without_thread(), &self.lingering);
    }

    /// The work of one connection's thread.
    pub(super) fn serve(&self, arrival: Arrival) {
        let Arrival { stream, peer, mut permit, client, reserved } = arrival;
        let stream = Arc::new(stream);
        let mut input = Input::with_capacity(connection::INPUT_BYTES);
        let client = match client {
            Some(client) => client,
            None => match self.identify(&stream, peer, &mut input, &mut permit) {
                Ok(client) => client,
                Err(Refused::Malformed) => return,
                Err(Refused::Rejected(rejection)) => {
                    drop(permit);
                    return self.reject(stream, &rejection);
                }
            },
        };
        let registration = self.registry.enter(client, Arc::clone(&stream), permit);
        self.close_if_stopping();
        let panic_report = PanicReport { service: self, live: &registration.live };
        let mut connection = Connection::new(self, &registration.live, input, reserved);
        let reason = connection.serve();
        let lingers = connection.may_have_unread_input(reason);
        if reason == CloseReason::Slow {
            // What it did not take is no longer kept for it: the kernel would, for minutes.
            let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
        }
        drop(panic_report);
        log::debug!("{}: closed: {reason}", client.address);
        drop(registration);
        if lingers {
            self.lingering.close(stream);
        }
    }

    /// A connection that is entered after the idle ones were closed must be closed as well.
    fn close_if_stopping(&self) {
        if self.is_stopping() {
            self.registry.close_idle();
        }
    }

    /// Learns from a proxy's header for whom the connection is, and takes that client's slot.
    fn identify(
        &self,
        stream: &Arc<TcpStream>,
        peer: SocketAddr,
        input: &mut Input,
        permit: &mut Permit,
    ) -> Result<Client, Refused> {
        let unidentified = self.registry.enter_unidentified(stream);
        self.close_if_stopping();
        let source = match connection::read_proxy_header(stream, input, self.timeouts.head) {
            Ok(source) => source.unwrap_or(peer),
            Err(error) => {
                log::debug!("{}: no PROXY header: {error}", peer.ip());
                return Err(Refused::Malformed);
            }
        };
        drop(unidentified);
        let client = self.identification.client(source.ip());
        let mut identified = permit.identify(client, self.policy.enforcement);
        if let Err(rejection) = &identified
            && self.reclaim(rejection)
        {
            identified = permit.identify(client, self.policy.enforcement);
        }
        if let Some(rejection) = identified.map_err(Refused::Rejected)? {
            self.note_would_reject(&rejection);
        }
        Ok(client)
    }
}

/// Why a proxied connection is not served.
enum Refused {
    Malformed,
    Rejected(Rejection),
}

/// Says what a connection was doing when its thread panicked.
struct PanicReport<'s> {
    service: &'s Service,
    live: &'s Live,
}

impl Drop for PanicReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.service.tally.panics.one();
            log::error!(
                "{}: a panic while answering {}",
                self.live.client.address,
                self.live.request()
            );
        }
    }
}
