//! A thread for each admitted connection, and the fate of those that wait for a slot.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::admit::{reject, reject_without_thread};
use super::lifecycle;
use crate::lock::lock;
use crate::server::limits::slot_queue::{SlotQueue, Waited};
use crate::server::service::{AdmittedConnection, Service, Task};
use crate::server::threads::{SPAWN_BACKOFF, SpawnError};

/// Has a thread serve a connection. If the system cannot start one, rejects it and returns false.
pub(crate) fn dispatch(service: &Arc<Service>, connection: AdmittedConnection) -> bool {
    let task = Task { service: Arc::clone(service), connection };
    let dispatched = service.threads.dispatch(task, lifecycle::serve);
    let Err(SpawnError { unstarted, source }) = dispatched else { return true };
    reject_without_thread(service, unstarted.connection);
    if let Some(error) = source
        && lock(&service.thread_warnings).permits(Instant::now())
    {
        let failures = service.counters.spawn_failures.get();
        log::error!("cannot start threads for connections: {error} ({failures} times so far)");
    }
    false
}

/// Serves or rejects the connections of the queue, until the server stops and none is left.
pub(crate) fn serve_queue(service: &Arc<Service>, queue: &SlotQueue) {
    while let Some(waited) = queue.next() {
        match waited {
            Waited::Admitted(accepted, permit) => {
                if dispatch(service, AdmittedConnection { accepted, permit }) {
                    service.counters.waited_served.increment();
                } else {
                    service.counters.waited_rejected.increment();
                    // The others go on waiting, rather than being rejected one after the other.
                    thread::sleep(SPAWN_BACKOFF);
                }
            }
            Waited::Rejected(accepted, rejection) => {
                service.counters.waited_rejected.increment();
                reject(service, accepted, &rejection);
            }
        }
    }
}
