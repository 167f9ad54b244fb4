//! The way of a connection: admitted or rejected when it is accepted, served in a thread of its own,
//! closed.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;
use socket2::SockRef;

use super::close_reason::CloseReason;
use super::requests;
use super::requests::Connection;
use crate::net::Input;
use crate::server::handler::rejection_response::{final_answer, without_thread};
use crate::server::limits::admission::Permit;
use crate::server::limits::client::Client;
use crate::server::limits::connection_entry::ConnectionEntry;
use crate::server::limits::lingering::pending_request::RequestProgress;
use crate::server::limits::rejection::Rejection;
use crate::server::service::{AdmittedConnection, Service, Task};

/// Decides whether a connection may be served. One that may not is handed to `lingering`.
pub(crate) fn receive(
    service: &Service,
    stream: TcpStream,
    peer: IpAddr,
) -> Option<AdmittedConnection> {
    service.counters.connections.increment();
    // A socket for both families reports IPv4 addresses as mapped ones.
    let peer = peer.to_canonical();
    let client =
        (!service.identification.is_proxy(peer)).then(|| service.identification.client(peer));
    let (permit, reserved) = match admit(service, client) {
        Ok(permit) => (permit, None),
        Err(rejection) => {
            let Some(permit) = admit_to_reserve(service, client) else {
                reject(service, stream, nothing_from(client), &rejection);
                return None;
            };
            (permit, Some(rejection))
        }
    };
    Some(AdmittedConnection { stream, peer, permit, client, reserved })
}

/// Takes a slot, if need be and allowed from a connection that is idle.
fn admit(service: &Service, client: Option<Client>) -> Result<Permit, Rejection> {
    let admit = || match client {
        Some(client) => service.admission.admit(client),
        None => service.admission.admit_unidentified(),
    };
    let mut admitted = admit();
    if let Err(rejection) = &admitted
        && reclaim(service, rejection)
    {
        admitted = admit();
    }
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

/// Lets in who may see the status, also when the server is full; if the reserve is used up as well,
/// in the place of one that makes nothing of it.
fn admit_to_reserve(service: &Service, client: Option<Client>) -> Option<Permit> {
    let (access, client) = (service.status.as_ref()?, client?);
    if !access.allows(&client) {
        return None;
    }
    service
        .admission
        .admit_to_reserve()
        .or_else(|| service.registry.reclaim_reserve(Instant::now()))
}

/// Frees the slot that a rejection lacks, of the client's oldest idle connection or of anyone's,
/// where that is wanted. Limits that are only tried out close nothing.
fn reclaim(service: &Service, rejection: &Rejection) -> bool {
    if !service.policy.reclaim_idle || !service.enforces() {
        return false;
    }
    let reclaimed = service.registry.reclaim(rejection.among()).is_some();
    if reclaimed {
        service.counters.reclaimed.increment();
    }
    reclaimed
}

fn note_would_reject(service: &Service, rejection: &Rejection) {
    service.counters.would_reject.increment();
    service.rejections.note(rejection);
}

/// Has a connection answered that is over a limit.
fn reject(
    service: &Service,
    stream: impl Into<Arc<TcpStream>>,
    progress: RequestProgress,
    rejection: &Rejection,
) {
    let answer = final_answer(&service.answer_rejected(rejection));
    service.lingering.answer(stream, progress, answer);
}

/// Answers a connection for which the system gives no thread.
pub(crate) fn dismiss_without_thread(service: &Service, connection: AdmittedConnection) {
    service.counters.spawn_failures.increment();
    let AdmittedConnection { stream, permit, client, .. } = connection;
    drop(permit);
    let response = service.answerer.with_further_fields(without_thread());
    service.lingering.answer(stream, nothing_from(client), final_answer(&response));
}

/// The work of one connection's thread.
pub(crate) fn serve(Task { service, connection }: Task) {
    let service = &*service;
    let AdmittedConnection { stream, peer, mut permit, client, reserved } = connection;
    let stream = Arc::new(stream);
    let mut input = Input::with_capacity(requests::INPUT_BYTES);
    let client = match client {
        Some(client) => client,
        None => match identify(service, &stream, peer, &mut input, &mut permit) {
            Ok(client) => client,
            Err(Refused::Malformed) => return,
            Err(Refused::Rejected(rejection)) => {
                drop(permit);
                return reject(service, stream, RequestProgress::after(input.data()), &rejection);
            }
        },
    };
    let registration = service.registry.register(client, Arc::clone(&stream), permit);
    close_if_stopping(service);
    let panic_report = PanicReport { service, entry: &registration.entry };
    let mut connection = Connection::new(service, &registration.entry, input, reserved);
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
        service.lingering.close(stream);
    }
}

/// A connection that is entered after the idle ones were closed must be closed as well.
fn close_if_stopping(service: &Service) {
    if service.is_stopping() {
        service.registry.close_idle();
    }
}

/// Learns from a proxy's header for whom the connection is, and takes that client's slot.
fn identify(
    service: &Service,
    stream: &Arc<TcpStream>,
    peer: IpAddr,
    input: &mut Input,
    permit: &mut Permit,
) -> Result<Client, Refused> {
    let unidentified = service.registry.register_unidentified(stream);
    close_if_stopping(service);
    let source = match requests::read_proxy_header(stream, input, service.timeouts.head) {
        Ok(source) => source.map(|source| source.ip()),
        Err(error) => {
            // A proxy that sends something else is misconfigured, and only this log says so. One that
            // sends nothing may be a health check.
            let has_sent = error.kind() == io::ErrorKind::Other;
            let level = if has_sent { Level::Warn } else { Level::Debug };
            log::log!(level, "{peer}: the proxy does not say for whom it speaks: {error}");
            return Err(Refused::Malformed);
        }
    };
    drop(unidentified);
    let client = service.identification.client_behind(peer, source);
    let mut identified = permit.identify(client, service.policy.enforcement);
    if let Err(rejection) = &identified
        && reclaim(service, rejection)
    {
        identified = permit.identify(client, service.policy.enforcement);
    }
    if let Some(rejection) = identified.map_err(Refused::Rejected)? {
        note_would_reject(service, &rejection);
    }
    Ok(client)
}

/// What has come over a connection that was just accepted; a client that is not known yet is behind
/// a proxy.
fn nothing_from(client: Option<Client>) -> RequestProgress {
    if client.is_some() {
        RequestProgress::default()
    } else {
        RequestProgress::before_proxy_header()
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
