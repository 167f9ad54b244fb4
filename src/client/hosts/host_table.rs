//! All hosts of a run by their keys, with the idle connections to them.

use std::collections::{HashMap, VecDeque};

use super::host::Host;
use crate::client::transport::connect::Connection;

const KNOWN: &str = "the host is in the table since its first request";

/// The hosts and the idle connections. [`super::limit::Load::idle`] is changed here alone.
#[derive(Debug, Default)]
pub(super) struct HostTable {
    hosts: HashMap<Box<str>, Host>,
    /// The one used last is at the end. There are so few that a search costs less than an index.
    idle: VecDeque<IdleConnection>,
}

/// A connection without a request in progress.
#[derive(Debug)]
struct IdleConnection {
    key: Box<str>,
    connection: Connection,
}

impl HostTable {
    /// The host of this key, which is added by `new` if it is not in the table.
    pub(super) fn entry(&mut self, key: &str, new: impl FnOnce() -> Host) -> &mut Host {
        // `HashMap::entry` would need an owned key for every request.
        if !self.hosts.contains_key(key) {
            self.hosts.insert(key.into(), new());
        }
        self.known_mut(key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Host> {
        self.hosts.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Host> {
        self.hosts.get_mut(key)
    }

    /// A host that is in the table.
    pub(super) fn known(&self, key: &str) -> &Host {
        self.hosts.get(key).expect(KNOWN)
    }

    pub(super) fn known_mut(&mut self, key: &str) -> &mut Host {
        self.hosts.get_mut(key).expect(KNOWN)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Host)> {
        self.hosts.iter().map(|(key, host)| (&**key, host))
    }

    /// Takes out the idle connection to this host that was used last.
    pub(super) fn take_idle(&mut self, key: &str) -> Option<Connection> {
        let at = self.idle.iter().rposition(|idle| *idle.key == *key)?;
        self.remove_idle(at)
    }

    /// Adds an idle connection.
    pub(super) fn add_idle(&mut self, key: Box<str>, connection: Connection) {
        self.known_mut(&key).load.idle += 1;
        self.idle.push_back(IdleConnection { key, connection });
    }

    /// Takes out the connection that is idle longest, if there are `capacity` or more.
    pub(super) fn evict(&mut self, capacity: usize) -> Option<Connection> {
        if self.idle.len() < capacity { None } else { self.remove_idle(0) }
    }

    /// Takes out the idle connections to this host beyond its limit, the longest idle ones first.
    pub(super) fn take_surplus(&mut self, key: &str) -> Vec<Connection> {
        let surplus = self.known(key).surplus();
        let mut taken = Vec::new();
        for _ in 0..surplus {
            let at = self.idle.iter().position(|idle| *idle.key == *key);
            taken.extend(at.and_then(|at| self.remove_idle(at)));
        }
        taken
    }

    fn remove_idle(&mut self, at: usize) -> Option<Connection> {
        let IdleConnection { key, connection } = self.idle.remove(at)?;
        self.known_mut(&key).load.idle -= 1;
        Some(connection)
    }
}
