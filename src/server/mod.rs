//! The server: one accept loop, one thread for each live connection, and two limits.
//!
//! ```text
//! listener ─▶ lifecycle ─▶ threads ─▶ requests ─▶ answer ─▶ response ─▶ send
//!                 │ admission                       └─▶ site
//!                 └─▶ rejection ─▶ lingering
//! ```
//!
//! The modules, each of which uses only what stands below it:
//!
//! ```text
//! accept      from the port to a thread: listener, descriptors
//! connection  one connection, from its first byte to its close
//! service     what all connections share
//! handler     a request in, a response out; no sockets
//! config      what the server is told
//! status      what the operator sees: counters, snapshot, HTML, JSON, Prometheus
//! limits      who may hold a connection: admission, rejection, lingering close
//! logs        the access log, and buffered writers of log files
//! site        a path in, an opened file or a listing out
//! html        the frame of pages, quantities, error pages
//! ```

mod accept;
mod clock;
mod config;
mod connection;
mod error;
mod handler;
mod html;
mod large_buffer;
mod limits;
mod lock;
mod logs;
mod service;
mod site;
mod status;
mod threads;
mod throttle;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

pub use accept::descriptors::Budget;
pub use accept::listener::{Stopper, reachable_at};
pub use config::{ExtraField, ExtraFieldError, ExtraFields, Policy, Rates, ServerConfig, Timeouts};
pub use error::StartError;
pub use limits::admission::{Admission, Enforcement, Held, Limits, Permit};
pub use limits::client::{Client, Identification, Location};
pub use limits::phase::Phase;
pub use limits::rejection::{Rejection, Scope};
pub use logs::access::AccessLog;
pub use logs::format::LogFormat;
pub use logs::sink::{LogHandle, LogSink};
pub use site::error::SiteError;
pub use site::settings::{
    DotFiles, Listings, Precompressed, SiteSettings, SymbolicLinks, is_index_name,
};
pub use status::access::{StatusAccess, StatusHost, StatusHostError};
pub use status::counters::Counts;
pub use status::form::StatusForm;
pub use status::snapshot::{ClientRow, ConnectionRow, Snapshot};

use accept::listener;
use connection::lifecycle;
use handler::answer::Handler;
use limits::lingering::closer::LingeringCloser;
use service::{Service, Task};
use site::lookup::Site;
use threads::SpawnError;
use throttle::{Throttle, WARNING_PERIOD};

/// How often what is told once a period is looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How often, while transfers finish, it is looked whether they still may.
const HURRY: Duration = Duration::from_millis(50);

/// How long the last connections, cut off, may take to end.
const CUT_OFF: Duration = Duration::from_secs(1);

/// A server that listens; [`Server::run`] has it serve.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
    stopper: Stopper,
}

/// Looks at a server from outside, also while it runs.
#[derive(Clone, Debug)]
pub struct Monitor {
    service: Arc<Service>,
}

impl Monitor {
    /// All that can be said of the server at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.service.snapshot()
    }
}

impl Server {
    /// Opens the root and listens.
    ///
    /// # Errors
    /// The root cannot be served, or the address not be listened on.
    pub fn start(config: &ServerConfig) -> Result<Self, StartError> {
        let site = Site::open(&config.root, config.site.clone()).map_err(StartError::Site)?;
        let handler = Handler::new(site, config.extra_fields.clone());
        let listener = listener::listen(config.address, config.port)?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: SocketAddr::new(config.address.unwrap_or([0; 16].into()), config.port),
            source,
        })?;
        let lingering = Arc::new(LingeringCloser::new(config.lingering).map_err(StartError::Pipe)?);
        let admission = Admission::new(config.limits);
        let service = Arc::new(Service::new(handler, admission, lingering, config));
        Ok(Self { listener, address, service, stopper: Stopper::new(address) })
    }

    /// The address it listens on, with the port that the system chose where none was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor { service: Arc::clone(&self.service) }
    }

    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until it is stopped: then nobody is accepted any more, idle connections are closed at
    /// once, and transfers may finish for [`Timeouts::drain`] before they are cut off.
    ///
    /// # Errors
    /// The system makes no thread for the housekeeping; nothing was served.
    pub fn run(self) -> Result<(), StartError> {
        let (ending, ended) = mpsc::channel::<()>();
        let service = Arc::clone(&self.service);
        let housekeeping = thread::Builder::new()
            .name("housekeeping".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
                while ended.recv_timeout(HOUSEKEEPING) == Err(mpsc::RecvTimeoutError::Timeout) {
                    service.rejections.tell_if_due(&service.registry);
                }
                service.rejections.tell(&service.registry);
            })
            .map_err(StartError::Thread)?;
        let mut warnings = Throttle::new(WARNING_PERIOD);
        listener::accept_loop(
            &self.listener,
            &self.stopper,
            &self.service.counters,
            |stream, peer| {
                self.accept(stream, peer, &mut warnings);
            },
        );
        // From here on no response offers to keep its connection.
        self.service.stop();
        drop(self.listener);
        let left = drain(&self.service, &self.stopper);
        self.service.lingering.shut_down();
        drop(ending);
        // It has nothing to wait for any more.
        let _ = housekeeping.join();
        log::debug!("stopped, with {left} threads left");
        Ok(())
    }

    fn accept(&self, stream: TcpStream, peer: SocketAddr, warnings: &mut Throttle) {
        let service = &self.service;
        let Some(connection) = lifecycle::admit_or_reject(service, stream, peer.ip()) else {
            return;
        };
        let task = Task { service: Arc::clone(service), connection };
        let dispatched = service.threads.dispatch(task, lifecycle::serve);
        if let Err(SpawnError { unstarted, source }) = dispatched {
            lifecycle::reject_without_thread(service, unstarted.connection);
            if let Some(error) = source
                && warnings.permits(Instant::now())
            {
                let failures = service.counters.spawn_failures.get();
                log::error!("cannot make threads for connections: {error} ({failures} until now)");
            }
        }
    }
}

/// Closes idle connections, waits for the others as long as they may take, and then closes them; says
/// how many threads are left even so.
fn drain(service: &Service, stopper: &Stopper) -> usize {
    service.registry.close_idle();
    let timeout = service.timeouts.drain;
    log::info!("stopping: {} connections have {timeout:?} to finish", service.registry.count());
    let begun = Instant::now();
    let mut left = service.threads.finish(Duration::ZERO);
    while left > 0 && begun.elapsed() < timeout && !stopper.is_stopping_at_once() {
        left = service.threads.finish(HURRY.min(timeout.saturating_sub(begun.elapsed())));
    }
    if left > 0 {
        log::warn!("{left} connections did not finish in time and are cut off");
        service.registry.close_all();
        left = service.threads.finish(CUT_OFF);
    }
    left
}
