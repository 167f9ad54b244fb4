//! The state that all connections share: limits, registry, responses, logs, threads, and whether the
//! server is stopping.
//!
//! The steps of serving a connection, and their order, are left to `connection`.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::access::authenticator::{Authenticator, Login, LoginError};
use super::access::networks::NetworkRules;
use super::config::{Policy, Rates, ServerConfig, Timeouts};
use super::handler::answer::Handler;
use super::handler::https_redirect::https_redirect;
use super::handler::rate_limit_fields::rate_limit_policy;
use super::handler::rejection_response::{denial_response, rejection_response};
use super::handler::response::Response;
use super::handler::status_response::{asks_for_status, status_response};
use super::limits::accepted_connection::AcceptedConnection;
use super::limits::admission::{Admission, Enforcement, Permit};
use super::limits::client::{Client, Identification};
use super::limits::client_log::ClientLog;
use super::limits::client_table::ClientTable;
use super::limits::connection_rates::ConnectionRates;
use super::limits::lingering::closer::LingeringCloser;
use super::limits::registry::Registry;
use super::limits::rejection::{Rejection, Scope};
use super::limits::slot_queue::SlotQueue;
use super::limits::tls_rejections::rejections::TlsRejections;
use super::log_interval::{LogInterval, WARNING_PERIOD};
use super::logs::access::AccessLog;
use super::logs::sink::LogHandle;
use super::status::access::StatusAccess;
use super::status::collect;
use super::status::collect::{Sources, StartTime};
use super::status::counters::Counters;
use super::status::snapshot::Snapshot;
use super::stop::Stopper;
use super::threads::{PARK_TIMEOUT, ThreadCount, Threads};
use super::tls::acceptor::TlsAcceptor;
use crate::http::RequestHead;

#[derive(Debug)]
pub(super) struct Service {
    pub(super) handler: Handler,
    pub(super) admission: Arc<Admission>,
    /// `None` if connections over a limit are rejected at once.
    pub(super) queue: Option<SlotQueue>,
    pub(super) identification: Identification,
    pub(super) networks: NetworkRules,
    /// `None` if requests need no password.
    pub(super) authenticator: Option<Authenticator>,
    /// `None` if connections are not encrypted.
    pub(super) tls: Option<Arc<TlsAcceptor>>,
    /// Answers connections that are not served over TLS.
    pub(super) tls_rejections: Option<TlsRejections>,
    pub(super) policy: Policy,
    pub(super) timeouts: Timeouts,
    pub(super) rates: Rates,
    pub(super) connection_rates: ConnectionRates,
    pub(super) access_log: AccessLog,
    pub(super) registry: Arc<Registry>,
    pub(super) client_log: ClientLog,
    pub(super) lingering: Arc<LingeringCloser>,
    pub(super) counters: Counters,
    /// The value of `RateLimit-Policy` in responses to clients that have a limit.
    pub(super) rate_limit_policy: String,
    pub(super) status: Option<StatusAccess>,
    pub(super) logs: Vec<LogHandle>,
    pub(super) started_at: StartTime,
    /// The threads that serve connections.
    pub(super) threads: Threads<Task>,
    /// When a failure to start a thread was logged.
    pub(super) thread_warnings: Mutex<LogInterval>,
    /// The address of the port for files.
    address: SocketAddr,
    stopper: Stopper,
    draining: AtomicBool,
}

/// A connection that was accepted and may be served, unless its client turns out to hold too many.
#[derive(Debug)]
pub(super) struct AdmittedConnection {
    pub(super) accepted: AcceptedConnection,
    pub(super) permit: Permit,
}

/// The work of one connection's thread. It holds the service itself, so that parked threads do not.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) service: Arc<Service>,
    pub(super) connection: AdmittedConnection,
}

/// Stack size of a connection's thread.
const STACK_BYTES: usize = 256 * 1024;

/// How often what each client was refused is reported.
const LOG_PERIOD: Duration = Duration::from_secs(60);

impl Service {
    pub(super) fn new(
        handler: Handler,
        lingering: Arc<LingeringCloser>,
        authenticator: Option<Authenticator>,
        tls: Option<Arc<TlsAcceptor>>,
        stopper: Stopper,
        address: SocketAddr,
        config: &ServerConfig,
    ) -> Self {
        let limits = config.limits;
        let clients = Arc::new(ClientTable::new(limits.total));
        let admission = Admission::new(limits, Arc::clone(&clients));
        let waits =
            !config.waiting.time.is_zero() && config.policy.enforcement == Enforcement::Enforced;
        let queue = waits
            .then(|| SlotQueue::new(config.waiting, Arc::clone(&admission), Arc::clone(&clients)));
        let tls_rejections = tls.as_ref().map(|acceptor| {
            let (acceptor, lingering) = (Arc::clone(acceptor), Arc::clone(&lingering));
            TlsRejections::new(acceptor, lingering, config.tls_rejections())
        });
        Self {
            handler,
            identification: config.identification.clone(),
            networks: config.networks.clone(),
            authenticator,
            tls,
            tls_rejections,
            policy: config.policy,
            timeouts: config.timeouts,
            rates: config.rates,
            connection_rates: ConnectionRates::new(config.rates.maximum, Arc::clone(&clients)),
            access_log: config.access_log.clone(),
            registry: Arc::new(Registry::new(limits.total)),
            admission,
            queue,
            client_log: ClientLog::new(
                LOG_PERIOD,
                config.policy.enforcement,
                config.identification.clone(),
                clients,
            ),
            lingering,
            counters: Counters::default(),
            rate_limit_policy: rate_limit_policy(Scope::Client, limits.per_client),
            status: config.status.clone(),
            logs: config.logs.clone(),
            started_at: StartTime::now(),
            threads: Threads::new("connection", STACK_BYTES, PARK_TIMEOUT),
            thread_warnings: Mutex::new(LogInterval::new(WARNING_PERIOD)),
            address,
            stopper,
            draining: AtomicBool::new(false),
        }
    }

    /// The number of connections from which on none is kept for another request: above three quarters of
    /// the total, or, if that is not enforced, of the capacity.
    pub(super) fn keep_alive_threshold(&self) -> usize {
        let total =
            if self.enforces() { self.admission.limits().total } else { self.policy.capacity };
        total.saturating_mul(3) / 4 + 1
    }

    /// False in a dry run.
    pub(super) fn enforces(&self) -> bool {
        self.policy.enforcement == Enforcement::Enforced
    }

    /// Whether the request asks for the status and the client may see it.
    pub(super) fn asks_for_status(&self, head: &RequestHead, client: &Client) -> bool {
        self.status.as_ref().is_some_and(|access| asks_for_status(access, head, client))
    }

    /// The status page, if the request asks for it and the client may see it.
    pub(super) fn answer_status(&self, head: &RequestHead, client: &Client) -> Option<Response> {
        status_response(self.status.as_ref()?, head, client, || self.snapshot())
    }

    /// Sends a client to the port for files.
    pub(super) fn redirect(&self, head: &RequestHead, stream: &TcpStream) -> Response {
        https_redirect(head, stream.local_addr().unwrap_or(self.address), self.address.port())
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        collect::snapshot(&Sources {
            admission: &self.admission,
            rates: self.rates.maximum,
            registry: &self.registry,
            client_log: &self.client_log,
            identification: &self.identification,
            lingering: &self.lingering,
            counters: &self.counters,
            logs: &self.logs,
            threads: self.thread_count(),
            keep_alive_threshold: self.keep_alive_threshold(),
            started_at: self.started_at,
            is_stopping: self.is_stopping(),
            tls: self.tls.as_deref(),
        })
    }

    /// The threads of connections, also of those that are rejected over TLS.
    fn thread_count(&self) -> ThreadCount {
        let of_rejections = self.tls_rejections.as_ref().map(TlsRejections::thread_count);
        self.threads.count() + of_rejections.unwrap_or_default()
    }

    /// No more connections are accepted: idle ones are closed.
    pub(super) fn begin_drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether connections wait for a slot, or have one while their threads are being started.
    pub(super) fn lets_wait(&self) -> bool {
        let occupancy = self.admission.occupancy();
        self.queue.is_some() && occupancy.waiting + occupancy.connections > 0
    }

    /// Whether every response closes its connection.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopper.is_stopping()
    }

    /// Whether idle connections are closed.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Verifies the user and the password of a request.
    ///
    /// # Errors
    /// The request may not be answered: [`Service::refuse_login`] makes its response.
    pub(super) fn log_in(
        &self,
        authenticator: &Authenticator,
        head: &RequestHead,
        client: &Client,
    ) -> Result<Login, LoginError> {
        let field = head.fields().only("Authorization");
        authenticator.log_in(field, client, &self.client_log).inspect_err(|error| match error {
            LoginError::NoCredentials => {}
            LoginError::WrongPassword => self.counters.wrong_passwords.increment(),
            LoginError::TooManyFailures | LoginError::TooManyAttempts => {
                self.counters.unverified_passwords.increment();
            }
        })
    }

    /// The response to a request without a right password.
    pub(super) fn refuse_login(
        &self,
        authenticator: &Authenticator,
        head: &RequestHead,
        error: LoginError,
    ) -> Response {
        self.handler.refuse_login(head, error, &authenticator.challenge)
    }

    /// Counts and logs a rejection, and makes its response.
    pub(super) fn record_rejection(&self, rejection: &Rejection) -> Response {
        self.counters.add_rejection(rejection.scope);
        self.client_log.record_rejection(rejection);
        let active = match rejection.counted_client() {
            Some(client) => self.registry.activity(Some(client)).active,
            None => self.registry.active(),
        };
        rejection_response(rejection, active, &self.identification)
    }

    /// Counts and logs a connection from an address that is not let in, and makes its response.
    pub(super) fn record_denial(&self, client: &Client) -> Response {
        self.counters.denied.increment();
        self.client_log.record_denial(client);
        denial_response(client)
    }
}
