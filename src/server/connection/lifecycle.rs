//! The life of a connection: admitted or rejected when it is accepted, served in its own thread, closed.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;
use socket2::SockRef;

use super::close_reason::CloseReason;
use super::proxy_header::read_proxy_header;
use super::request_reader::{FIRST_INPUT_BYTES, INPUT_BYTES};
use super::requests::Connection;
use super::socket_options::SocketOptions;
use crate::net::Input;
use crate::server::handler::rejection_response::{encode, no_thread_response};
use crate::server::limits::admission::Permit;
use crate::server::limits::client::Client;
use crate::server::limits::connection_entry::ConnectionEntry;
use crate::server::limits::lingering::pending_request::RequestProgress;
use crate::server::limits::rejection::Rejection;
use crate::server::service::{AdmittedConnection, Service, Task};

/// Admits a connection, or rejects it and returns `None`. A client behind a proxy is identified later.
pub(crate) fn admit_or_reject(
    service: &Service,
    stream: TcpStream,
    peer: IpAddr,
) -> Option<AdmittedConnection> {
    service.counters.connections.increment();
    // A dual-stack socket reports IPv4 addresses as IPv4-mapped IPv6 addresses.
    let peer = peer.to_canonical();
    let client =
        (!service.identification.is_proxy(peer)).then(|| service.identification.client(peer));
    let admitted = admit(service, client)
        .or_else(|rejection| admit_to_reserve(service, client, rejection).ok_or(rejection));
    match admitted {
        Ok(permit) => Some(AdmittedConnection { stream, peer, permit, client }),
        Err(rejection) => {
            reject(service, stream, nothing_received(client), &rejection);
            None
        }
    }
}

/// Takes a slot. In a dry run, takes one beyond the limits if there is none, up to the capacity.
fn admit(service: &Service, client: Option<Client>) -> Result<Permit, Rejection> {
    let admitted = take_or_reclaim(service, || match client {
        Some(client) => service.admission.admit(client),
        None => service.admission.admit_unidentified(),
    });
    match admitted {
        Err(rejection)
            if !service.enforces()
                && service.admission.occupancy().connections < service.policy.capacity =>
        {
            note_would_reject(service, &rejection);
            Ok(service.admission.admit_regardless(client))
        }
        admitted => admitted,
    }
}

/// Calls `take`, which takes a slot; if there is none and the policy allows it, closes an idle connection
/// and tries again.
fn take_or_reclaim<T>(
    service: &Service,
    mut take: impl FnMut() -> Result<T, Rejection>,
) -> Result<T, Rejection> {
    take().or_else(|rejection| if reclaim(service, &rejection) { take() } else { Err(rejection) })
}

/// Admits a client that may see the status although the server is full. If the reserve is used up as
/// well, a connection of the reserve that has sent no request loses its slot.
fn admit_to_reserve(
    service: &Service,
    client: Option<Client>,
    rejection: Rejection,
) -> Option<Permit> {
    let (access, client) = (service.status.as_ref()?, client?);
    if !access.allows(&client) {
        return None;
    }
    service.admission.admit_to_reserve(rejection).or_else(|| {
        drop(service.registry.reclaim_reserve(Instant::now())?);
        service.admission.admit_to_reserve(rejection)
    })
}

/// Closes the oldest idle connection of the client, or of all clients if the total has been reached, to
/// free its slot. Does nothing unless the policy asks for it and limits are enforced.
fn reclaim(service: &Service, rejection: &Rejection) -> bool {
    if !service.policy.reclaim_idle || !service.enforces() {
        return false;
    }
    let reclaimed = service.registry.reclaim(rejection.counted_client()).is_some();
    if reclaimed {
        service.counters.reclaimed.increment();
    }
    reclaimed
}

fn note_would_reject(service: &Service, rejection: &Rejection) {
    service.counters.would_reject.increment();
    service.rejections.record(rejection);
}

/// Rejects a connection that exceeds a limit: at once if its request has come, else in the lingering thread.
fn reject(
    service: &Service,
    stream: impl Into<Arc<TcpStream>>,
    progress: RequestProgress,
    rejection: &Rejection,
) {
    let response = encode(&service.record_rejection(rejection));
    service.lingering.answer(stream, progress, response);
}

/// Rejects a connection because the system cannot start a thread for it.
pub(crate) fn reject_without_thread(service: &Service, connection: AdmittedConnection) {
    service.counters.spawn_failures.increment();
    let AdmittedConnection { stream, permit, client, .. } = connection;
    drop(permit);
    let response = service.handler.with_extra_fields(no_thread_response());
    service.lingering.answer(stream, nothing_received(client), encode(&response));
}

/// Serves a connection until it is closed, in its own thread.
pub(crate) fn serve(Task { service, connection }: Task) {
    let service = &*service;
    let AdmittedConnection { stream, peer, mut permit, client } = connection;
    let options = SocketOptions::new(service.timeouts, service.rates);
    if let Err(error) = options.set_on_accepted(&stream) {
        log::debug!("{peer}: cannot set socket options: {error}");
        return;
    }
    let stream = Arc::new(stream);
    let mut input = Input::starting_with(FIRST_INPUT_BYTES, INPUT_BYTES);
    let client = match client {
        Some(client) => client,
        None => match identify(service, &stream, peer, &mut input, &mut permit) {
            Ok(client) => client,
            Err(IdentifyError::ProxyHeader) => return,
            Err(IdentifyError::Rejected(rejection)) => {
                drop(permit);
                return reject(service, stream, RequestProgress::after(input.data()), &rejection);
            }
        },
    };
    let registration = service.registry.register(client, Arc::clone(&stream), permit);
    close_if_stopping(service);
    let panic_report = PanicReport { service, entry: &registration.entry };
    let mut connection = Connection::new(service, &registration.entry, input);
    let reason = connection.serve();
    let lingers = connection.may_have_unread_input(reason);
    if reason == CloseReason::Slow {
        // Discards unsent data, which the kernel would keep for minutes.
        let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
    }
    drop(panic_report);
    log::debug!("{}: closed: {reason}", client.address);
    drop(registration);
    if lingers {
        service.lingering.close(stream);
    }
}

/// Closes idle connections again if the server is stopping: this one may have been registered after they
/// were closed.
fn close_if_stopping(service: &Service) {
    if service.is_stopping() {
        service.registry.close_idle();
    }
}

/// Reads the client from the PROXY header, and takes a slot of that client.
fn identify(
    service: &Service,
    stream: &Arc<TcpStream>,
    peer: IpAddr,
    input: &mut Input,
    permit: &mut Permit,
) -> Result<Client, IdentifyError> {
    let unidentified = service.registry.register_unidentified(stream);
    close_if_stopping(service);
    let source = match read_proxy_header(stream, input, service.timeouts.head) {
        Ok(source) => source.map(|source| source.ip()),
        Err(error) => {
            // An invalid header means a misconfigured proxy, which only this log shows. A proxy that
            // sends nothing may be a health check.
            let is_invalid = error.kind() == io::ErrorKind::Other;
            let level = if is_invalid { Level::Warn } else { Level::Debug };
            log::log!(level, "{peer}: no valid PROXY header: {error}");
            return Err(IdentifyError::ProxyHeader);
        }
    };
    drop(unidentified);
    let client = service.identification.client_behind(peer, source);
    match take_or_reclaim(service, || permit.identify(client)) {
        Ok(()) => {}
        Err(rejection) if service.enforces() => return Err(IdentifyError::Rejected(rejection)),
        Err(rejection) => {
            note_would_reject(service, &rejection);
            permit.identify_regardless(client);
        }
    }
    Ok(client)
}

/// The progress of a connection that was just accepted. A client that is not known yet is behind a proxy.
fn nothing_received(client: Option<Client>) -> RequestProgress {
    if client.is_some() {
        RequestProgress::default()
    } else {
        RequestProgress::before_proxy_header()
    }
}

/// Why a connection from a proxy is not served.
enum IdentifyError {
    ProxyHeader,
    Rejected(Rejection),
}

/// Logs the current request of a connection if its thread panics.
struct PanicReport<'s> {
    service: &'s Service,
    entry: &'s ConnectionEntry,
}

impl Drop for PanicReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.service.counters.panics.increment();
            log::error!(
                "{}: a panic while answering {}",
                self.entry.client.address,
                self.entry.request()
            );
        }
    }
}
