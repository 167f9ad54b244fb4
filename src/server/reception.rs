//! The way of a connection: admitted or rejected when it is accepted, served in a thread of its own,
//! closed.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;
use socket2::SockRef;

use super::admission::Permit;
use super::close_reason::CloseReason;
use super::closing::Received;
use super::connection::{self, Connection};
use super::identity::Client;
use super::registry::Live;
use super::rejection::Rejection;
use super::rejection_response::{final_answer, without_thread};
use super::service::{Arrival, Service};
use crate::net::Input;

impl Service {
    /// Decides whether a connection may be served. One that may not is handed to `lingering`.
    pub(super) fn receive(&self, stream: TcpStream, peer: IpAddr) -> Option<Arrival> {
        self.tally.connections.one();
        // A socket for both families reports IPv4 addresses as mapped ones.
        let peer = peer.to_canonical();
        let client =
            (!self.identification.is_proxy(peer)).then(|| self.identification.client(peer));
        let (permit, reserved) = match self.admit(client) {
            Ok(permit) => (permit, None),
            Err(rejection) => {
                let Some(permit) = self.admit_to_reserve(client) else {
                    self.reject(stream, nothing_from(client), &rejection);
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

    /// Lets in who may see the status, also when the server is full; if the reserve is used up as well,
    /// in the place of one that makes nothing of it.
    fn admit_to_reserve(&self, client: Option<Client>) -> Option<Permit> {
        let (access, client) = (self.status.as_ref()?, client?);
        if !access.allows(&client) {
            return None;
        }
        self.admission.admit_to_reserve().or_else(|| self.registry.reclaim_reserve(Instant::now()))
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

    /// Has a connection answered that is over a limit.
    fn reject(&self, stream: impl Into<Arc<TcpStream>>, received: Received, rejection: &Rejection) {
        let answer = final_answer(&self.answer_rejected(rejection));
        self.lingering.answer(stream, received, answer);
    }

    /// Answers a connection for which the system gives no thread.
    pub(super) fn dismiss_without_thread(&self, arrival: Arrival) {
        self.tally.spawn_failures.one();
        let Arrival { stream, permit, client, .. } = arrival;
        drop(permit);
        let response = self.answerer.with_further_fields(without_thread());
        self.lingering.answer(stream, nothing_from(client), final_answer(&response));
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
                    return self.reject(stream, Received::request(input.data()), &rejection);
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
        peer: IpAddr,
        input: &mut Input,
        permit: &mut Permit,
    ) -> Result<Client, Refused> {
        let unidentified = self.registry.enter_unidentified(stream);
        self.close_if_stopping();
        let source = match connection::read_proxy_header(stream, input, self.timeouts.head) {
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
        let client = self.identification.client_behind(peer, source);
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

/// What has come over a connection that was just accepted; a client that is not known yet is behind
/// a proxy.
fn nothing_from(client: Option<Client>) -> Received {
    if client.is_some() { Received::default() } else { Received::nothing_from_proxy() }
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
