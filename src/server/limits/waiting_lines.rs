//! The connections that wait for a slot: a line for each client, and whose turn it is.
//!
//! Within a client the first comes first, and clients take turns. The number of all is bounded; beyond it the
//! longest line loses its last connection, so that no client takes the places of others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Instant;

/// A place in the order of arrival: when the wait ends, and a number that makes it unique.
type Place = (Instant, u64);

/// The lines of all clients. A client without a waiting connection has no line.
#[derive(Debug)]
pub(super) struct WaitingLines<T> {
    lines: HashMap<IpAddr, Line<T>>,
    /// The client of each waiting connection.
    order: BTreeMap<Place, IpAddr>,
    /// The clients by the lengths of their lines.
    lengths: BTreeSet<(usize, IpAddr)>,
    /// The clients by their turns. A client whose first connection may not go has none.
    turns: BTreeMap<u64, IpAddr>,
    last_number: u64,
}

#[derive(Debug)]
struct Line<T> {
    /// Never empty.
    waiting: BTreeMap<Place, T>,
    turn: Option<u64>,
}

impl<T> Default for WaitingLines<T> {
    fn default() -> Self {
        Self {
            lines: HashMap::default(),
            order: BTreeMap::default(),
            lengths: BTreeSet::default(),
            turns: BTreeMap::default(),
            last_number: 0,
        }
    }
}

impl<T> WaitingLines<T> {
    /// How many connections wait.
    pub(super) fn count(&self) -> usize {
        self.order.len()
    }

    /// How many connections of this client wait.
    pub(super) fn count_of(&self, client: IpAddr) -> usize {
        self.lines.get(&client).map_or(0, |line| line.waiting.len())
    }

    /// The clients with waiting connections.
    pub(super) fn clients(&self) -> impl Iterator<Item = IpAddr> {
        self.lines.keys().copied()
    }

    /// Adds a connection that waits until `deadline`, and gives its client a turn.
    ///
    /// If more than `capacity` wait then, returns the last one of the longest line; of this client, if no other
    /// line is longer.
    pub(super) fn add(
        &mut self,
        client: IpAddr,
        deadline: Instant,
        connection: T,
        capacity: usize,
    ) -> Option<T> {
        let place = (deadline, self.next_number());
        let line = self.lines.entry(client);
        let line = line.or_insert_with(|| Line { waiting: BTreeMap::new(), turn: None });
        let length = line.waiting.len();
        line.waiting.insert(place, connection);
        self.order.insert(place, client);
        self.lengths.remove(&(length, client));
        self.lengths.insert((length + 1, client));
        self.give_turn(client);
        if self.count() <= capacity {
            return None;
        }
        let (longest, other) = *self.lengths.last().expect("a connection waits");
        let loser = if longest > length + 1 { other } else { client };
        let (place, _) = self.lines.get(&loser)?.waiting.last_key_value()?;
        self.remove(loser, *place)
    }

    /// Gives the client a turn, after all others: one of its connections may be able to go now.
    pub(super) fn give_turn(&mut self, client: IpAddr) {
        let Some(line) = self.lines.get(&client) else { return };
        if line.turn.is_none() {
            let turn = self.next_number();
            self.turns.insert(turn, client);
            self.lines.entry(client).and_modify(|line| line.turn = Some(turn));
        }
    }

    /// Removes the first connection of the first client in turn for which `may_go` is true. Clients for which
    /// it is false lose their turn, until [`WaitingLines::give_turn`].
    pub(super) fn next(&mut self, may_go: impl Fn(IpAddr, &T) -> bool) -> Option<T> {
        while let Some((_, client)) = self.turns.pop_first() {
            let line = self.lines.get_mut(&client).expect("a client with a turn has a line");
            line.turn = None;
            let (place, first) = line.waiting.first_key_value().expect("a line is not empty");
            if may_go(client, first) {
                let place = *place;
                let connection = self.remove(client, place);
                self.give_turn(client);
                return connection;
            }
        }
        None
    }

    /// When the first wait ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Removes the connection whose wait ends first.
    pub(super) fn take_first(&mut self) -> Option<T> {
        let (place, client) = self.order.first_key_value()?;
        let (place, client) = (*place, *client);
        self.remove(client, place)
    }

    fn remove(&mut self, client: IpAddr, place: Place) -> Option<T> {
        let line = self.lines.get_mut(&client)?;
        let length = line.waiting.len();
        let connection = line.waiting.remove(&place)?;
        self.order.remove(&place);
        self.lengths.remove(&(length, client));
        if length > 1 {
            self.lengths.insert((length - 1, client));
        } else {
            if let Some(turn) = line.turn {
                self.turns.remove(&turn);
            }
            self.lines.remove(&client);
        }
        Some(connection)
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

#[cfg(test)]
mod tests;
