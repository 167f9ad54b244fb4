//! What becomes of an accepted connection: it is admitted, waits for a slot, or is rejected or denied.
//!
//! ```text
//! accepted ─▶ slot? ─▶ idle one to reclaim? ─▶ reserve? ─▶ waits ─▶ rejected
//!               └─────────────┴────────────────────┴─────────┴─▶ its own thread
//! ```

use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::proxy_header::take_proxy_header;
use super::tls_rejection;
use crate::server::handler::extra_fields::Channel;
use crate::server::handler::rejection_response::{encode, no_thread_response};
use crate::server::handler::response::Response;
use crate::server::limits::accepted_connection::{AcceptedConnection, Purpose};
use crate::server::limits::admission::Permit;
use crate::server::limits::client::Client;
use crate::server::limits::lingering::pending_request::RequestProgress;
use crate::server::limits::rejection::{Rejection, Scope};
use crate::server::limits::tls_rejections::rejections::LastResponse;
use crate::server::service::{AdmittedConnection, Service};

/// Where connections may wait for a slot, how long one that has sent nothing keeps its own while others wait.
const MAX_SILENCE: Duration = Duration::from_secs(1);

/// Admits a connection; else has it wait for a slot, or rejects or denies it, and returns `None`. A client
/// behind a proxy is identified later.
pub(crate) fn admit(
    service: &Service,
    stream: TcpStream,
    peer: IpAddr,
    purpose: Purpose,
) -> Option<AdmittedConnection> {
    service.counters.connections.increment();
    // A dual-stack socket reports IPv4 addresses as IPv4-mapped IPv6 addresses.
    let peer = peer.to_canonical();
    let client =
        (!service.identification.is_proxy(peer)).then(|| service.identification.client(peer));
    let stream = Arc::new(stream);
    let mut accepted = AcceptedConnection {
        stream,
        purpose,
        peer,
        client,
        accepted_at: Instant::now(),
        session: None,
        received: None,
    };
    if let Some(client) = client.filter(|client| !service.networks.admit(client.address)) {
        deny(service, accepted, &client);
        return None;
    }
    let admitted = take_slot(service, client).or_else(|rejection| match purpose {
        Purpose::Files => admit_to_reserve(service, client, rejection).ok_or(rejection),
        Purpose::Redirect => Err(rejection),
    });
    match admitted {
        Ok(permit) => Some(AdmittedConnection { accepted, permit }),
        Err(rejection) => {
            match identify_at_once(service, &mut accepted) {
                Some(client) if !service.networks.admit(client.address) => {
                    deny(service, accepted, &client);
                }
                _ => wait_or_reject(service, accepted, &rejection),
            }
            None
        }
    }
}

/// Reads the client from the PROXY header, if it has come with a connection that is about to wait, for a slot or for its
/// rejection over TLS: clients behind one proxy then wait in lines of their own.
fn identify_at_once(service: &Service, accepted: &mut AcceptedConnection) -> Option<Client> {
    let may_wait = service.queue.is_some() || service.tls_rejections.is_some();
    if !may_wait || accepted.client.is_some() {
        return None;
    }
    let source = take_proxy_header(&accepted.stream).ok()?;
    accepted.client = Some(service.identification.client_behind(accepted.peer, source));
    accepted.client
}

/// Takes a slot. In a dry run, takes one beyond the limits if there is none, up to the capacity.
fn take_slot(service: &Service, client: Option<Client>) -> Result<Permit, Rejection> {
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
/// and tries again. Where connections may wait, the caller has it wait first, as others may come before it.
pub(super) fn take_or_reclaim<T>(
    service: &Service,
    mut take: impl FnMut() -> Result<T, Rejection>,
) -> Result<T, Rejection> {
    take().or_else(|rejection| {
        if service.queue.is_none() && reclaim(service, rejection.counted_client()) {
            take()
        } else {
            Err(rejection)
        }
    })
}

/// Admits a client that may see the status although the server is full. If the reserve is used up as
/// well, a connection of the reserve that has sent no request loses its slot, unless this one can wait.
fn admit_to_reserve(
    service: &Service,
    client: Option<Client>,
    rejection: Rejection,
) -> Option<Permit> {
    let (access, client) = (service.status.as_ref()?, client?);
    if !access.allows(&client) {
        return None;
    }
    let admitted = service.admission.admit_to_reserve(rejection);
    if admitted.is_some() || service.queue.is_some() {
        return admitted;
    }
    drop(service.registry.reclaim_reserve(Instant::now())?);
    service.admission.admit_to_reserve(rejection)
}

/// Closes the oldest idle connection of the client, or, for `None`, of all clients, to free its slot. Where
/// connections may wait for a slot, those that have sent nothing for a while count as idle. Does nothing unless
/// the policy asks for it and limits are enforced.
fn reclaim(service: &Service, client: Option<IpAddr>) -> bool {
    if !service.policy.reclaim_idle || !service.enforces() {
        return false;
    }
    let max_silence = service.queue.as_ref().map(|_| MAX_SILENCE);
    let reclaimed = service.registry.reclaim(client, max_silence).is_some();
    if reclaimed {
        service.counters.reclaimed.increment();
    }
    reclaimed
}

pub(super) fn note_would_reject(service: &Service, rejection: &Rejection) {
    service.counters.would_reject.increment();
    service.client_log.record_rejection(rejection);
}

/// Has a connection that exceeds a limit wait for a slot, or else rejects it.
pub(super) fn wait_or_reject(
    service: &Service,
    accepted: AcceptedConnection,
    rejection: &Rejection,
) {
    let Some(queue) = &service.queue else { return reject(service, accepted, rejection) };
    match queue.add(accepted) {
        Some((accepted, rejection)) => reject(service, accepted, &rejection),
        // Those that become idle while a connection waits give up their slots themselves.
        None => drop(reclaim(service, rejection.counted_client())),
    }
}

/// Frees slots of connections that have become silent for too long while others wait.
pub(crate) fn reclaim_for_waiting(service: &Service) {
    let admission = &service.admission;
    let mut is_any_left = true;
    for line in admission.waiting_lines() {
        // A freed slot goes to a connection that waits.
        while let Some(scope) = admission.limit_of_waiting(line) {
            let is_freed = match scope {
                Scope::Client => reclaim(service, Some(line.client)),
                Scope::Total => {
                    is_any_left = is_any_left && reclaim(service, None);
                    is_any_left
                }
            };
            if !is_freed {
                break;
            }
        }
    }
}

/// Rejects a connection that exceeds a limit: at once if its request has come, else in another thread.
pub(super) fn reject(service: &Service, accepted: AcceptedConnection, rejection: &Rejection) {
    let response = service.record_rejection(rejection);
    answer_last(service, accepted, response);
}

/// Tells a client whose address is not let in that it is not.
pub(super) fn deny(service: &Service, accepted: AcceptedConnection, client: &Client) {
    let response = service.record_denial(client);
    answer_last(service, accepted, response);
}

/// Rejects a connection because the system cannot start a thread for it.
pub(super) fn reject_without_thread(service: &Service, connection: AdmittedConnection) {
    service.counters.spawn_failures.increment();
    let AdmittedConnection { accepted, permit } = connection;
    drop(permit);
    answer_last(service, accepted, no_thread_response());
}

/// Sends a response to a connection that is not served, and closes it.
fn answer_last(service: &Service, accepted: AcceptedConnection, response: Response) {
    let response = service.handler.with_extra_fields(response, Channel::Plain);
    let plain = encode(&response);
    if let (Some(tls_rejections), Purpose::Files) = (&service.tls_rejections, accepted.purpose) {
        let encrypted = encode(&service.handler.with_tls_fields(response));
        let response = LastResponse { encrypted, plain };
        return tls_rejections.add(accepted, response, tls_rejection::answer);
    }
    let progress = progress(&accepted);
    service.lingering.answer(accepted.stream, progress, plain);
}

/// How far the request of a connection has come. One whose client is not known yet is behind a proxy.
fn progress(accepted: &AcceptedConnection) -> RequestProgress {
    match (&accepted.received, accepted.client) {
        (Some(input), _) => RequestProgress::after(input.data()),
        (None, Some(_)) => RequestProgress::default(),
        (None, None) => RequestProgress::before_proxy_header(),
    }
}
