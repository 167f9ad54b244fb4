//! The entries of one directory at one moment, shared by all responses that list them.
//!
//! Entries are stored compactly, sorted by name, in blocks: see [`builder`](super::builder).

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::block::Block;
use super::entry::{Entry, EntryKind};
use super::order::{Direction, Order, SortBy, compare_names};
use crate::server::large_buffer;

/// A vector that grows beyond this size becomes a memory mapping.
const MAX_HEAP_BYTES: usize = 64 * 1024;

/// Reserves space for `additional` elements, in a memory mapping beyond [`MAX_HEAP_BYTES`].
pub(super) fn reserve<T>(vector: &mut Vec<T>, additional: usize) {
    if (vector.len() + additional) * size_of::<T>() > MAX_HEAP_BYTES {
        large_buffer::reserve(vector, additional);
    }
}

/// Compares by kind, directories first, then by name.
pub(super) fn compare(a: (EntryKind, &[u8]), b: (EntryKind, &[u8])) -> Ordering {
    a.0.cmp(&b.0).then_with(|| compare_names(a.1, b.1))
}

/// The numbers and sizes of the entries of a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) directories: usize,
    pub(super) files: usize,
    /// Of the files of known length.
    pub(super) bytes: u64,
}

impl Totals {
    fn add(&mut self, entry: Entry<'_>) {
        match entry.kind {
            EntryKind::Directory => self.directories += 1,
            EntryKind::File => self.files += 1,
        }
        self.bytes = self.bytes.saturating_add(entry.length.unwrap_or(0));
    }
}

/// The indices of all entries in an order other than by name, sorted at the first use.
type SortedIndices = OnceLock<Box<[u32]>>;

/// The entries of a directory, sorted by name, directories first.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) blocks: Vec<Arc<Block>>,
    /// The index of each block's first entry.
    starts: Vec<usize>,
    length: usize,
    totals: Totals,
    /// Ascending and descending.
    by_size: [SortedIndices; 2],
    by_date: [SortedIndices; 2],
}

impl Entries {
    /// Appends a block. Its entries follow those of the blocks before it.
    pub(super) fn push(&mut self, block: Arc<Block>) {
        block.entries().for_each(|entry| self.totals.add(entry));
        self.starts.push(self.length);
        self.length += block.records.len();
        self.blocks.push(block);
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// The entry at `position` of an order.
    pub(super) fn in_order(&self, order: Order, position: usize) -> Entry<'_> {
        let index = match order.by {
            SortBy::Name => self.index_by_name(order.direction, position),
            SortBy::Size => {
                let key = |entry: Entry<'_>| entry.length.unwrap_or(0);
                self.sorted(&self.by_size, order.direction, key)[position] as usize
            }
            SortBy::Date => {
                // Maps signed numbers to unsigned ones in the same order.
                let key = |time: Timestamp| time.as_microsecond().cast_unsigned() ^ (1 << 63);
                let key = |entry: Entry<'_>| entry.modified.map_or(0, key);
                self.sorted(&self.by_date, order.direction, key)[position] as usize
            }
        };
        self.entry(index)
    }

    fn index_by_name(&self, direction: Direction, position: usize) -> usize {
        let directories = self.totals.directories;
        match direction {
            Direction::Ascending => position,
            Direction::Descending if position < directories => directories - 1 - position,
            Direction::Descending => self.length - 1 - (position - directories),
        }
    }

    fn entry(&self, index: usize) -> Entry<'_> {
        let block = self.starts.partition_point(|start| *start <= index) - 1;
        self.blocks[block].entry(index - self.starts[block])
    }

    /// The indices in the order of `key`, directories first. Equal entries stay in the order of their names.
    fn sorted<'s>(
        &self,
        [ascending, descending]: &'s [SortedIndices; 2],
        direction: Direction,
        key: impl Fn(Entry<'_>) -> u64,
    ) -> &'s [u32] {
        let (indices, mask) = match direction {
            Direction::Ascending => (ascending, 0),
            Direction::Descending => (descending, u64::MAX),
        };
        indices.get_or_init(|| {
            let mut keys = Vec::new();
            let entries = self.blocks.iter().flat_map(|block| block.entries());
            for (index, entry) in (0..).zip(entries) {
                reserve(&mut keys, 1);
                keys.push((key(entry) ^ mask, entry.kind, index));
            }
            keys.sort_unstable_by_key(|(key, kind, index)| (*kind, *key, *index));
            keys.into_iter().map(|(_, _, index): (_, _, u32)| index).collect()
        })
    }

    /// The block that begins with this entry.
    pub(super) fn block_from(&self, kind: EntryKind, name: &[u8]) -> Option<&Arc<Block>> {
        let found = self.blocks.binary_search_by(|block| {
            let first = block.entry(0);
            compare((first.kind, first.name), (kind, name))
        });
        found.ok().map(|at| &self.blocks[at])
    }
}
