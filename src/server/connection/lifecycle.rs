//! The life of an admitted connection, in its own thread: identified, served, closed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use socket2::SockRef;

use super::admit::{deny, note_would_reject, take_or_reclaim, wait_or_reject};
use super::opening::{RESERVE_SILENCE, begin};
use super::proxy_header::read_proxy_header;
use super::request_reader::new_input;
use super::requests::Connection;
use super::socket_options::SocketOptions;
use super::transport::Transport;
use crate::net::{Deadline, Input, ReadTimeout};
use crate::server::limits::accepted_connection::AcceptedConnection;
use crate::server::limits::admission::Permit;
use crate::server::limits::client::Client;
use crate::server::limits::connection_entry::ConnectionEntry;
use crate::server::limits::rejection::Rejection;
use crate::server::service::{AdmittedConnection, Service, Task};

/// Serves a connection until it is closed, in its own thread.
pub(crate) fn serve(Task { service, connection }: Task) {
    let service = &*service;
    let AdmittedConnection { mut accepted, mut permit } = connection;
    let options = SocketOptions::new(service.timeouts, service.rates);
    if let Err(error) = options.set_on_accepted(&accepted.stream) {
        log::debug!("{}: cannot set socket options: {error}", accepted.peer);
        return;
    }
    let client = match accepted.client {
        Some(client) => client,
        None => match identify(service, &mut accepted, &mut permit) {
            Ok(client) => client,
            Err(IdentifyError::ProxyHeader) => return,
            Err(IdentifyError::Denied(client)) => {
                drop(permit);
                return deny(service, accepted, &client);
            }
            Err(IdentifyError::Rejected(rejection)) => {
                drop(permit);
                return wait_or_reject(service, accepted, &rejection);
            }
        },
    };
    let stream = Arc::clone(&accepted.stream);
    let registration = service.registry.register(client, Arc::clone(&stream), permit);
    let entry = &registration.entry;
    let panic_report = PanicReport { service, entry };
    let mut transport =
        Transport::new(&stream, accepted.session.take(), read_timeout(service, &accepted));
    let mut input = accepted.received.take().unwrap_or_else(new_input);
    let answers = match begin(service, entry, accepted.purpose, &mut transport, &mut input) {
        Ok(answers) => answers,
        Err(not_begun) => {
            let reserved = entry.reserved;
            drop(panic_report);
            drop(registration);
            return not_begun.close(service, accepted, reserved);
        }
    };
    if let Some(rejection) =
        entry.reserved.filter(|_| can_wait(service, &mut transport, &mut input))
    {
        (accepted.session, accepted.received) = (transport.session, Some(input));
        drop(panic_report);
        drop(registration);
        return wait_or_reject(service, accepted, &rejection);
    }
    let mut connection = Connection::new(service, entry, transport, input, answers);
    let reason = connection.serve();
    let lingers = connection.may_have_unread_input(reason);
    if reason.demands_reset() {
        let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
    }
    drop(panic_report);
    log::debug!("{}: closed: {reason}", client.address);
    drop(registration);
    if lingers {
        service.lingering.close(stream);
    }
}

/// The read timeout of a socket: unknown if it was read from before.
fn read_timeout(service: &Service, accepted: &AcceptedConnection) -> ReadTimeout {
    match accepted.received {
        None => ReadTimeout::set_to(service.timeouts.head),
        Some(_) => ReadTimeout::default(),
    }
}

/// Whether a connection in the reserve is to wait for another slot, since it does not ask for the status. Reads the
/// beginning of its request for that.
fn can_wait(service: &Service, transport: &mut Transport<'_>, input: &mut Input) -> bool {
    let (Some(access), true) = (&service.status, service.queue.is_some()) else { return false };
    if input.data().is_empty() {
        // If nothing comes, the connection waits.
        let _ = input.fill(&mut transport.within(RESERVE_SILENCE));
    }
    input.data().is_empty() || !access.may_be_asked_by(input.data())
}

/// Reads the client from the PROXY header, and takes a slot of that client.
fn identify(
    service: &Service,
    accepted: &mut AcceptedConnection,
    permit: &mut Permit,
) -> Result<Client, IdentifyError> {
    let AcceptedConnection { stream, peer, .. } = accepted;
    let unidentified = service.registry.register_unidentified(stream);
    let input = accepted.received.insert(new_input());
    let timeout = service.timeouts.head;
    let mut transport = Transport::new(stream, None, ReadTimeout::set_to(timeout));
    let source = match read_proxy_header(&mut transport, input, Deadline::after(timeout)) {
        Ok(source) => source,
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
    let client = service.identification.client_behind(*peer, source);
    accepted.client = Some(client);
    if !service.networks.admit(client.address) {
        return Err(IdentifyError::Denied(client));
    }
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

/// Why a connection from a proxy is not served.
enum IdentifyError {
    ProxyHeader,
    /// The address of this client is not let in.
    Denied(Client),
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
