//! A thread for each admitted connection, and the fate of those that wait for a slot.

use std::sync::Arc;
use std::time::Instant;

use super::admit::{reject, reject_without_thread};
use super::lifecycle;
use crate::lock::lock;
use crate::server::limits::slot_queue::{SlotQueue, Waited};
use crate::server::service::{AdmittedConnection, Service, Task};
use crate::server::threads::SpawnError;

/// Has a thread serve a connection; rejects it if the system cannot start one.
pub(crate) fn dispatch(service: &Arc<Service>, connection: AdmittedConnection) {
    let task = Task { service: Arc::clone(service), connection };
    let dispatched = service.threads.dispatch(task, lifecycle::serve);
    let Err(SpawnError { unstarted, source }) = dispatched else { return };
    reject_without_thread(service, unstarted.connection);
    if let Some(error) = source
        && lock(&service.thread_warnings).permits(Instant::now())
    {
        let failures = service.counters.spawn_failures.get();
        log::error!("cannot start threads for connections: {error} ({failures} times so far)");
    }
}

/// Serves or rejects the connections of the queue, until the server stops and none is left.
pub(crate) fn serve_queue(service: &Arc<Service>, queue: &SlotQueue) {
    while let Some(waited) = queue.next() {
        match waited {
            Waited::Admitted(accepted, permit) => {
                service.counters.waited_served.increment();
                dispatch(service, AdmittedConnection { accepted, permit });
            }
            Waited::Rejected(accepted, rejection) => {
                service.counters.waited_rejected.increment();
                reject(service, accepted, &rejection);
            }
        }
    }
}
