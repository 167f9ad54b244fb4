//! The server: an accept loop for each port, one thread for each open connection, and two limits.
//!
//! ```text
//! listener ─▶ admit ─▶ threads ─▶ lifecycle ─▶ requests ─▶ answer ─▶ response ─▶ send
//!               │ ▲                                          └─▶ site
//!               │ └── slot queue
//!               └─▶ rejection ─▶ lingering close
//! ```
//!
//! The modules, each of which uses only those below it:
//!
//! ```text
//! accept      the listening socket, the accept loop, the budget of descriptors
//! connection  one connection, from its admission to its close
//! drain       lets what has begun finish, when the server is stopped
//! service     the state that all connections share
//! handler     a request in, a response out; no sockets
//! config      the settings
//! status      counters, and the status page as HTML, JSON and Prometheus text
//! access      who is let in
//! limits      the limits on connections: admission, registry, rejection, lingering close
//! logs        the access log, and writers of log files that never block
//! site        a path in, an opened file, a listing or an archive out
//! html        the frame of pages, quantities, error pages
//! tls         certificates, and the encryption of a connection
//!
//! error, threads, stop, clock, log_interval, large_buffer   tools of all of these
//! ```

mod accept;
mod access;
mod clock;
mod config;
mod connection;
mod drain;
mod error;
mod handler;
mod html;
mod large_buffer;
mod limits;
mod log_interval;
mod logs;
mod service;
mod site;
mod status;
mod stop;
#[cfg(test)]
mod test_wait;
mod threads;
mod tls;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use accept::descriptors::Budget;
pub use accept::listener::reachable_at;
pub use access::authenticator::PasswordSettings;
pub use access::networks::NetworkRules;
pub use access::password_file::{PasswordFileError, PasswordLineError};
pub use access::password_hash::PasswordHashError;
pub use config::{ExtraField, ExtraFieldError, ExtraFields, Policy, Rates, ServerConfig, Timeouts};
pub use error::{ListenError, StartError};
pub use limits::admission::{Enforcement, Limits};
pub use limits::client::Identification;
pub use limits::connection_rates::MaximumRates;
pub use limits::phase::Phase;
pub use limits::slot_queue::Waiting;
pub use logs::access::AccessLog;
pub use logs::format::LogFormat;
pub use logs::sink::{LogHandle, LogSink};
pub use site::error::SiteError;
pub use site::page_file::{ErrorPage, ErrorPageError, PageFile, PageFileError};
pub use site::settings::{
    CleanUrls, DotFiles, Listings, Precompressed, SiteSettings, SymbolicLinks, is_index_name,
};
pub use status::access::{StatusAccess, StatusHost, StatusHostError};
pub use status::counters::Counts;
pub use status::snapshot::{ClientRow, ConnectionRow, Snapshot};
pub use stop::Stopper;
pub use tls::acceptor::TlsSettings;
pub use tls::certificate::CertificateFiles;
pub use tls::certificates::CertificateSummary;
pub use tls::error::{CertificateError, KeyKind, PemError, TlsError, TlsFile};
pub use tls::validity::{Validity, ValidityState};

use accept::listener;
use access::authenticator::Authenticator;
use connection::admit::{admit, reclaim_for_waiting};
use connection::dispatch::{dispatch, serve_queue};
use connection::socket_options::SocketOptions;
use drain::drain;
use handler::answer::Handler;
use jiff::Timestamp;
use limits::accepted_connection::Purpose;
use limits::lingering::closer::LingeringCloser;
use limits::tls_rejections::rejections::TlsRejections;
use service::Service;
use site::lookup::Site;
use tls::acceptor::TlsAcceptor;

/// How often the log of refused clients is checked for a period that has ended, connections for silent ones
/// whose slots others wait for, and certificates for their end.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);

/// A server that listens, and serves once [`Server::run`] is called.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    /// The listener of the port for redirects, and its address.
    redirect: Option<(TcpListener, SocketAddr)>,
    service: Arc<Service>,
    stopper: Stopper,
}

/// Reads the state of a server, also while it runs.
#[derive(Clone, Debug)]
pub struct Monitor {
    service: Arc<Service>,
}

impl Monitor {
    /// The server's counters, limits and connections at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.service.snapshot()
    }
}

/// Reads the files of a server again that may change while it runs: passwords and certificates.
#[derive(Clone, Debug)]
pub struct Reloader {
    service: Arc<Service>,
}

/// What came of reading each kind of file again; `None` if the server has none.
#[derive(Debug)]
pub struct Reloaded {
    /// How many users there are. After an error the former passwords remain in force.
    pub passwords: Option<Result<usize, PasswordFileError>>,
    /// The certificates that new connections get. After an error these are the former ones, all of them.
    pub certificates: Option<Result<Vec<CertificateSummary>, TlsError>>,
}

impl Reloader {
    /// Reads the files again. A password that was right until now must be verified again if the password file has
    /// changed. Open connections keep their certificates.
    #[must_use]
    pub fn reload(&self) -> Reloaded {
        Reloaded {
            passwords: self.service.authenticator.as_ref().map(Authenticator::reload),
            certificates: self.service.tls.as_ref().map(|tls| tls.reload()),
        }
    }
}

impl Server {
    /// Opens the root directory, reads the password file and the certificates, and listens.
    ///
    /// # Errors
    /// The root cannot be served, the password file or a certificate cannot be used, the address cannot be listened
    /// on, or a pipe cannot be made.
    pub fn start(config: &ServerConfig) -> Result<Self, StartError> {
        let site = Site::open(&config.root, config.site.clone()).map_err(StartError::Site)?;
        let connections = config.limits.total;
        let authenticator = config.passwords.as_ref().map(|it| Authenticator::new(it, connections));
        let authenticator = authenticator.transpose().map_err(StartError::Passwords)?;
        let tls = config.tls.clone().map(TlsAcceptor::new).transpose().map_err(StartError::Tls)?;
        let handler = Handler::new(site, config);
        let (listener, address) = listen(config, config.port).map_err(StartError::Listen)?;
        let redirect = config.redirect_port.map(|port| listen(config, port));
        let redirect = redirect.transpose().map_err(StartError::ListenForRedirects)?;
        let lingering = config.lingering.saturating_sub(config.tls_rejections());
        let lingering = Arc::new(LingeringCloser::new(lingering).map_err(StartError::Pipe)?);
        let stopper = Stopper::new(config.timeouts.drain_delay).map_err(StartError::Pipe)?;
        let tls = tls.map(Arc::new);
        let stopping = stopper.clone();
        let service =
            Service::new(handler, lingering, authenticator, tls, stopping, address, config);
        Ok(Self { listener, address, redirect, service: Arc::new(service), stopper })
    }

    /// The address that the server listens on, with the port that the system has chosen if it was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for redirects, if there is one.
    #[must_use]
    pub fn redirect_address(&self) -> Option<SocketAddr> {
        self.redirect.as_ref().map(|(_, address)| *address)
    }

    /// A reader of the server's state.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor { service: Arc::clone(&self.service) }
    }

    /// A handle to read passwords and certificates again.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        Reloader { service: Arc::clone(&self.service) }
    }

    /// A handle to stop the server from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until it is stopped. Then it goes on for [`Timeouts::drain_delay`], while health checks fail and kept
    /// connections are closed after their next response. After that it accepts no more connections, closes idle
    /// ones at once, and lets requests finish for [`Timeouts::drain`], also those of connections that wait for a slot.
    ///
    /// # Errors
    /// The system cannot start the threads of the housekeeping, of the queue and of the redirects; nothing was served.
    pub fn run(self) -> Result<(), StartError> {
        let housekeeping = Housekeeping::start(&self.service).map_err(StartError::Thread)?;
        let queue = start_queue(&self.service).map_err(StartError::Thread)?;
        let redirect = self.redirect.map(|(listener, _)| listener);
        let accepted = accept_all(&self.service, &self.stopper, self.listener, redirect);
        let left = drain(&self.service, &self.stopper, queue);
        self.service.tls_rejections.iter().for_each(TlsRejections::finish);
        self.service.lingering.shut_down();
        housekeeping.end();
        log::debug!("stopped, with {left} threads left");
        accepted.map_err(StartError::Thread)
    }
}

/// A thread for what is due from time to time.
struct Housekeeping {
    thread: JoinHandle<()>,
    /// Dropping it ends the thread.
    ending: mpsc::Sender<()>,
}

impl Housekeeping {
    /// # Errors
    /// The system cannot start the thread.
    fn start(service: &Arc<Service>) -> io::Result<Self> {
        let (ending, ended) = mpsc::channel::<()>();
        let service = Arc::clone(service);
        let thread = thread::Builder::new()
            .name("housekeeping".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
            while ended.recv_timeout(HOUSEKEEPING_INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout)
            {
                service.client_log.report_if_due(&service.registry);
                reclaim_for_waiting(&service);
                service.tls.iter().for_each(|tls| tls.log_warnings(Timestamp::now()));
            }
            service.client_log.report(&service.registry);
        })?;
        Ok(Self { thread, ending })
    }

    fn end(self) {
        drop(self.ending);
        // An error means that it panicked, which the panic hook has reported.
        let _ = self.thread.join();
    }
}

/// Starts the thread that serves or rejects connections which have waited, if connections wait.
///
/// # Errors
/// The system cannot start it.
fn start_queue(service: &Arc<Service>) -> io::Result<Option<JoinHandle<()>>> {
    let start = |_| {
        let service = Arc::clone(service);
        thread::Builder::new()
            .name("queue".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || service.queue.iter().for_each(|queue| serve_queue(&service, queue)))
    };
    service.queue.as_ref().map(start).transpose()
}

/// Listens on a port, with the options of the sockets of its connections.
fn listen(config: &ServerConfig, port: u16) -> Result<(TcpListener, SocketAddr), ListenError> {
    let listener = listener::listen(config.address, port)?;
    let options = SocketOptions::new(config.timeouts, config.rates);
    match options.set_on_listener(&listener).and_then(|()| listener.local_addr()) {
        Ok(address) => Ok((listener, address)),
        Err(source) => {
            let address = SocketAddr::new(config.address.unwrap_or([0; 16].into()), port);
            Err(ListenError { address, source })
        }
    }
}

/// Accepts connections from both listeners until the server is stopped.
///
/// # Errors
/// The system cannot start the thread for the second one; none was accepted.
fn accept_all(
    service: &Arc<Service>,
    stopper: &Stopper,
    files: TcpListener,
    redirect: Option<TcpListener>,
) -> io::Result<()> {
    let accept = |listener, purpose| {
        listener::accept_loop(listener, stopper, &service.counters, |stream, peer| {
            if let Some(connection) = admit(service, stream, peer.ip(), purpose) {
                dispatch(service, connection);
            }
        });
    };
    thread::scope(|scope| {
        if let Some(listener) = redirect {
            thread::Builder::new()
                .name("redirect".to_owned())
                .stack_size(128 * 1024)
                .spawn_scoped(scope, || accept(listener, Purpose::Redirect))?;
        }
        accept(files, Purpose::Files);
        Ok(())
    })
}
