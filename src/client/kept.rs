//! Connections kept alive between requests, shared by the workers of a run.
//!
//! A worker that needs a connection to an origin takes the one last used there. Only when none is idle
//! is a new one opened, so that an origin never sees more of them than there are workers; and no more
//! than that are kept in all.

use std::sync::Mutex;

use url::Origin;

use super::connect::Connection;

/// The idle connections of one run.
#[derive(Debug)]
pub(super) struct KeptConnections {
    /// Those used most recently are last.
    idle: Mutex<Vec<Connection>>,
    capacity: usize,
}

impl KeptConnections {
    /// Keeps up to `capacity` connections, which is not zero.
    pub(super) fn new(capacity: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), capacity }
    }

    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.lock();
        let at = idle.iter().rposition(|connection| connection.origin() == origin)?;
        Some(idle.remove(at))
    }

    /// Keeps a connection on which nothing is under way; where there is no room, the one that has been
    /// idle longest makes it.
    pub(super) fn keep(&self, connection: Connection) {
        let mut idle = self.lock();
        let oldest = (idle.len() == self.capacity).then(|| idle.remove(0));
        idle.push(connection);
        drop(idle);
        // Closing takes a system call, which nobody need wait for.
        drop(oldest);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().expect("nothing panics while the idle connections are locked")
    }
}
