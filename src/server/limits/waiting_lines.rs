//! The connections that wait for a slot: a line for each client, and whose turn it is.
//!
//! Within a line the first comes first, and lines take turns. The number of all is bounded; beyond it the
//! longest line loses its last connection, so that no client takes the places of others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// A place in the order of arrival: when the wait ends, and a number that makes it unique.
type Place = (Instant, u64);

/// All lines, by their keys. A line without a waiting connection is none.
#[derive(Debug)]
pub(super) struct WaitingLines<K, T> {
    lines: HashMap<K, Line<T>>,
    /// The line of each waiting connection.
    order: BTreeMap<Place, K>,
    /// The lines by their lengths.
    lengths: BTreeSet<(usize, K)>,
    /// The lines by their turns. One whose connections may not go has none.
    turns: BTreeMap<u64, K>,
    last_number: u64,
}

#[derive(Debug)]
struct Line<T> {
    /// Never empty.
    waiting: BTreeMap<Place, T>,
    turn: Option<u64>,
}

impl<K, T> Default for WaitingLines<K, T> {
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

impl<K: Copy + Hash + Ord, T> WaitingLines<K, T> {
    /// How many connections wait.
    pub(super) fn count(&self) -> usize {
        self.order.len()
    }

    /// How many connections wait in this line.
    pub(super) fn count_of(&self, key: K) -> usize {
        self.lines.get(&key).map_or(0, |line| line.waiting.len())
    }

    /// All lines.
    pub(super) fn keys(&self) -> impl Iterator<Item = K> {
        self.lines.keys().copied()
    }

    /// Adds a connection that waits until `deadline`, and gives its line a turn.
    ///
    /// If more than `capacity` wait then, returns the last one of the longest line; of this line, if no other one
    /// is longer.
    pub(super) fn add(
        &mut self,
        key: K,
        deadline: Instant,
        connection: T,
        capacity: usize,
    ) -> Option<T> {
        let place = (deadline, self.next_number());
        let line = self.lines.entry(key);
        let line = line.or_insert_with(|| Line { waiting: BTreeMap::new(), turn: None });
        let length = line.waiting.len();
        line.waiting.insert(place, connection);
        self.order.insert(place, key);
        self.lengths.remove(&(length, key));
        self.lengths.insert((length + 1, key));
        self.give_turn(key);
        if self.count() <= capacity {
            return None;
        }
        let (longest, other) = *self.lengths.last().expect("a connection waits");
        let loser = if longest > length + 1 { other } else { key };
        let (place, _) = self.lines.get(&loser)?.waiting.last_key_value()?;
        self.remove(loser, *place)
    }

    /// Gives the line a turn, after all others: one of its connections may be able to go now.
    pub(super) fn give_turn(&mut self, key: K) {
        let Some(line) = self.lines.get(&key) else { return };
        if line.turn.is_none() {
            let turn = self.next_number();
            self.turns.insert(turn, key);
            self.lines.entry(key).and_modify(|line| line.turn = Some(turn));
        }
    }

    /// Removes the first connection of the first line in turn for which `may_go` is true. Lines for which it is
    /// false lose their turn, until [`WaitingLines::give_turn`].
    pub(super) fn next(&mut self, may_go: impl Fn(K) -> bool) -> Option<T> {
        while let Some((_, key)) = self.turns.pop_first() {
            let line = self.lines.get_mut(&key).expect("a line with a turn is not empty");
            line.turn = None;
            if may_go(key) {
                let (place, _) = line.waiting.first_key_value().expect("a line is not empty");
                let place = *place;
                let connection = self.remove(key, place);
                self.give_turn(key);
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
        let (place, key) = self.order.first_key_value()?;
        let (place, key) = (*place, *key);
        self.remove(key, place)
    }

    fn remove(&mut self, key: K, place: Place) -> Option<T> {
        let line = self.lines.get_mut(&key)?;
        let length = line.waiting.len();
        let connection = line.waiting.remove(&place)?;
        self.order.remove(&place);
        self.lengths.remove(&(length, key));
        if length > 1 {
            self.lengths.insert((length - 1, key));
        } else {
            if let Some(turn) = line.turn {
                self.turns.remove(&turn);
            }
            self.lines.remove(&key);
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
