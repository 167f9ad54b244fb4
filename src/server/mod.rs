//! The server: one accept loop, one thread for each live connection, and two limits.
//!
//! ```text
//! listener ─▶ admission ─▶ threads ─▶ connection ─▶ answer ─▶ response
//!                 │                                    └─▶ site
//!                 └─▶ rejection ─▶ lingering
//! ```

mod access_log;
mod admission;
mod answer;
mod config;
mod connection;
mod date;
mod descriptors;
mod error;
mod lingering;
mod listener;
mod rejection;
mod representation;
mod response;
pub mod site;
mod threads;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

pub use admission::{Admission, Limits, Permit, Rejection, Scope, client_of};
pub use config::{ExtraField, ExtraFieldError, ExtraFields, ServerConfig, Timeouts};
pub use descriptors::Budget;
pub use error::StartError;
pub use listener::Stopper;
pub use site::{DotFiles, Listings, Precompressed, SiteError, SiteSettings, SymbolicLinks};

use answer::Answerer;
use connection::Connection;
use lingering::Lingering;
use site::Site;
use threads::{SpawnError, Threads};

/// A server that listens; [`Server::run`] has it serve.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    admission: Arc<Admission>,
    lingering: Arc<Lingering>,
    threads: Arc<Threads<Admitted>>,
    stopper: Stopper,
}

/// Looks at a server from outside, also while it runs.
#[derive(Clone, Debug)]
pub struct Monitor {
    admission: Arc<Admission>,
    threads: Arc<Threads<Admitted>>,
    lingering: Arc<Lingering>,
}

/// What a server holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Connections that are counted.
    pub connections: usize,
    /// Clients that hold one.
    pub clients: usize,
    /// Threads of connections, with those that wait for their next.
    pub threads: usize,
    /// Threads that wait for their next connection.
    pub parked: usize,
    /// Sockets whose peers may still read their last answer.
    pub lingering: usize,
}

impl Monitor {
    #[must_use]
    pub fn census(&self) -> Census {
        let (connections, clients) = self.admission.held();
        let (threads, parked) = self.threads.count();
        Census { connections, clients, threads, parked, lingering: self.lingering.count() }
    }
}

/// A connection that holds its slot. Dropped in this order, the slot is free before the peer can see
/// the end of the connection and ask for its place again.
#[derive(Debug)]
struct Admitted {
    permit: Permit,
    stream: TcpStream,
}

impl Server {
    /// Opens the root and listens.
    ///
    /// # Errors
    /// The root cannot be served, or the address not be listened on.
    pub fn start(config: &ServerConfig) -> Result<Self, StartError> {
        let site = Site::open(&config.root, config.site.clone()).map_err(StartError::Site)?;
        let answerer = Answerer::new(site, config.extra_fields.clone());
        let listener = listener::listen(config.address, config.port)?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: SocketAddr::new(config.address.unwrap_or([0; 16].into()), config.port),
            source,
        })?;
        let lingering = Arc::new(Lingering::start(config.lingering).map_err(StartError::Thread)?);
        let (timeouts, closing) = (config.timeouts, Arc::clone(&lingering));
        let threads = Arc::new(Threads::new(threads::PARK, move |admitted| {
            serve(admitted, &answerer, timeouts, &closing);
        }));
        Ok(Self {
            listener,
            address,
            admission: Admission::new(config.limits),
            lingering,
            threads,
            stopper: Stopper::new(address),
        })
    }

    /// The address it listens on, with the port that the system chose where none was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor {
            admission: Arc::clone(&self.admission),
            threads: Arc::clone(&self.threads),
            lingering: Arc::clone(&self.lingering),
        }
    }

    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until it is stopped. Connections that are open then are cut off when the process ends.
    pub fn run(self) {
        listener::accept_loop(&self.listener, &self.stopper, |stream, peer| {
            self.admit(stream, peer.ip());
        });
        let left = self.threads.finish(Duration::ZERO);
        log::debug!("stopped with {left} connections open");
    }

    fn admit(&self, stream: TcpStream, address: IpAddr) {
        match self.admission.admit(address) {
            Ok(permit) => {
                let dispatched = self.threads.dispatch(Admitted { permit, stream });
                if let Err(SpawnError { unstarted, source }) = dispatched {
                    self.without_thread(unstarted, &source);
                }
            }
            Err(rejection) => rejection::reject(stream, &rejection, &self.lingering),
        }
    }

    fn without_thread(&self, Admitted { permit, stream }: Admitted, error: &io::Error) {
        log::error!("cannot make a thread for {}: {error}", permit.client());
        rejection::reject_without_thread(stream, &self.lingering);
    }
}

/// The work of one connection's thread.
fn serve(admitted: Admitted, answerer: &Answerer, timeouts: Timeouts, lingering: &Lingering) {
    let client = admitted.permit.client();
    let mut connection = Connection::new(&admitted.stream, client, answerer, timeouts);
    let reason = connection.serve();
    let lingers = connection.may_have_unread_input(reason);
    log::debug!("{client}: closed: {reason}");
    let Admitted { permit, stream } = admitted;
    drop(permit);
    if lingers {
        lingering.close(stream);
    }
}
