//! The entries of one directory as they were at one moment, shared by everyone who is sent them.
//!
//! Owns how they are kept: compactly, sorted by name, in blocks. A reading of the same directory shares
//! every block that has not changed with the reading before it, and the names of every block whose sizes or
//! times alone have, so that slow readers of a directory that changes meanwhile do not cost a copy of it
//! each. Where a block ends is decided by the name of its last entry, so that an entry that comes or goes
//! changes its own block alone.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::order::{Direction, Order, SortBy, compare_names};
use crate::http::encode_segment;
use crate::server::large_buffer;

/// A block ends behind one name in this many, on average.
const BLOCK_ENTRIES: u64 = 128;

/// A block has no more entries than this, whatever their names.
const MAX_BLOCK_ENTRIES: usize = 512;

/// A vector that outgrows this many bytes while a directory is read becomes a mapping.
const SMALL_BYTES: usize = 64 * 1024;

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Entry<'e> {
    /// The name's own bytes, which need not be UTF-8.
    pub name: &'e [u8],
    pub kind: EntryKind,
    /// In bytes; known of most files.
    pub length: Option<u64>,
    /// When its content was last changed, to the microsecond; not always known.
    pub modified: Option<Timestamp>,
}

impl Entry<'_> {
    /// The entry as a reference relative to its directory: its encoded name, a directory's with `/`.
    #[must_use]
    pub(in crate::server) fn reference(&self) -> String {
        let slash = if self.kind == EntryKind::Directory { "/" } else { "" };
        format!("{}{slash}", encode_segment(self.name))
    }
}

/// What an entry is, a symbolic link being what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::server) enum EntryKind {
    Directory,
    File,
}

/// An entry in 24 bytes, without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// [`UNKNOWN_LENGTH`] where there is none.
    length: u64,
    /// Microseconds since 1970; [`UNKNOWN_TIME`] where it is not known.
    modified: i64,
    name_bytes: u32,
    kind: EntryKind,
}

const UNKNOWN_LENGTH: u64 = u64::MAX;
const UNKNOWN_TIME: i64 = i64::MIN;

impl Record {
    fn new(entry: Entry<'_>) -> Self {
        Self {
            name_bytes: u32::try_from(entry.name.len()).expect("names are short"),
            length: entry.length.unwrap_or(UNKNOWN_LENGTH),
            modified: entry.modified.map_or(UNKNOWN_TIME, Timestamp::as_microsecond),
            kind: entry.kind,
        }
    }

    fn entry(self, name: &[u8]) -> Entry<'_> {
        Entry {
            name,
            kind: self.kind,
            length: (self.length != UNKNOWN_LENGTH).then_some(self.length),
            modified: Timestamp::from_microsecond(self.modified).ok(),
        }
    }
}

/// Entries in the order in which they are read.
#[derive(Debug, Default)]
pub(super) struct Unsorted {
    /// One behind the other.
    names: Vec<u8>,
    records: Vec<UnsortedRecord>,
}

#[derive(Debug)]
struct UnsortedRecord {
    name_start: usize,
    record: Record,
}

impl Unsorted {
    pub(super) fn push(&mut self, entry: Entry<'_>) {
        make_room(&mut self.names, entry.name.len());
        make_room(&mut self.records, 1);
        let name_start = self.names.len();
        self.names.extend_from_slice(entry.name);
        self.records.push(UnsortedRecord { name_start, record: Record::new(entry) });
    }

    /// Sorts the entries, and takes from `previous` what has not changed: all of it, if nothing has.
    pub(super) fn into_entries(mut self, previous: Option<&Arc<Entries>>) -> Arc<Entries> {
        let names = &self.names;
        let name = |UnsortedRecord { name_start, record }: &UnsortedRecord| {
            &names[*name_start..][..record.name_bytes as usize]
        };
        self.records
            .sort_unstable_by(|a, b| compare((a.record.kind, name(a)), (b.record.kind, name(b))));
        let mut building = Building { previous, ..Building::default() };
        for unsorted in &self.records {
            building.push(unsorted.record, name(unsorted));
        }
        building.finish()
    }
}

/// Ensures room for `additional` more elements, in a mapping beyond [`SMALL_BYTES`].
fn make_room<T>(vector: &mut Vec<T>, additional: usize) {
    if (vector.len() + additional) * size_of::<T>() > SMALL_BYTES {
        large_buffer::reserve(vector, additional);
    }
}

/// Directories before files, and either by name.
fn compare(a: (EntryKind, &[u8]), b: (EntryKind, &[u8])) -> Ordering {
    a.0.cmp(&b.0).then_with(|| compare_names(a.1, b.1))
}

/// Some entries that follow each other.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// One behind the other.
    names: Arc<[u8]>,
    records: Box<[Record]>,
}

impl Block {
    fn entry(&self, index: usize) -> Entry<'_> {
        let bytes = |record: &Record| record.name_bytes as usize;
        let name_start: usize = self.records[..index].iter().map(bytes).sum();
        let record = self.records[index];
        record.entry(&self.names[name_start..][..bytes(&record)])
    }
}

/// Entries that are put together block by block.
#[derive(Default)]
struct Building<'p> {
    previous: Option<&'p Arc<Entries>>,
    names: Vec<u8>,
    records: Vec<Record>,
    entries: Entries,
    shared_blocks: usize,
}

impl Building<'_> {
    /// Adds the next entry in order.
    fn push(&mut self, record: Record, name: &[u8]) {
        self.entries.totals.add(record);
        self.names.extend_from_slice(name);
        self.records.push(record);
        let mut hasher = DefaultHasher::new();
        hasher.write(name);
        if hasher.finish().is_multiple_of(BLOCK_ENTRIES) || self.records.len() == MAX_BLOCK_ENTRIES
        {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        let first = self.records[0];
        let first_name = &self.names[..first.name_bytes as usize];
        let before = self.previous.and_then(|entries| entries.block_from(first.kind, first_name));
        let before = before.filter(|block| *block.names == *self.names);
        let block = match before {
            Some(block) if *block.records == *self.records => {
                self.shared_blocks += 1;
                Arc::clone(block)
            }
            _ => Arc::new(Block {
                names: before
                    .map_or_else(|| self.names.as_slice().into(), |block| block.names.clone()),
                records: self.records.as_slice().into(),
            }),
        };
        self.names.clear();
        self.records.clear();
        self.entries.starts.push(self.entries.length);
        self.entries.length += block.records.len();
        self.entries.blocks.push(block);
    }

    fn finish(mut self) -> Arc<Entries> {
        if !self.records.is_empty() {
            self.end_block();
        }
        match self.previous {
            Some(previous)
                if self.shared_blocks == self.entries.blocks.len()
                    && previous.length == self.entries.length =>
            {
                Arc::clone(previous)
            }
            _ => Arc::new(self.entries),
        }
    }
}

/// How much there is of what in a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) directories: usize,
    pub(super) files: usize,
    /// Of the files whose length is known.
    pub(super) bytes: u64,
}

impl Totals {
    fn add(&mut self, record: Record) {
        match record.kind {
            EntryKind::Directory => self.directories += 1,
            EntryKind::File => self.files += 1,
        }
        if record.length != UNKNOWN_LENGTH {
            self.bytes = self.bytes.saturating_add(record.length);
        }
    }
}

/// The entries of a directory, directories first, by name.
#[derive(Debug, Default)]
pub(super) struct Entries {
    blocks: Vec<Arc<Block>>,
    /// The index of each block's first entry.
    starts: Vec<usize>,
    length: usize,
    totals: Totals,
    /// Indices of the entries in the orders other than by name, made for whoever asks first.
    by_size: [OnceLock<Box<[u32]>>; 2],
    by_date: [OnceLock<Box<[u32]>>; 2],
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// The entry at a position of an order.
    pub(super) fn in_order(&self, order: Order, position: usize) -> Entry<'_> {
        let index = match order.by {
            SortBy::Size => self
                .sorted(&self.by_size, order.direction, |entry| entry.length.unwrap_or(0))[position]
                as usize,
            SortBy::Date => {
                // The same order as of the signed numbers.
                let key = |time: Timestamp| time.as_microsecond().cast_unsigned() ^ (1 << 63);
                self.sorted(&self.by_date, order.direction, |entry| entry.modified.map_or(0, key))
                    [position] as usize
            }
            SortBy::Name => {
                let directories = self.totals.directories;
                match order.direction {
                    Direction::Ascending => position,
                    Direction::Descending if position < directories => directories - 1 - position,
                    Direction::Descending => self.length - 1 - (position - directories),
                }
            }
        };
        self.entry(index)
    }

    fn entry(&self, index: usize) -> Entry<'_> {
        let block = self.starts.partition_point(|start| *start <= index) - 1;
        self.blocks[block].entry(index - self.starts[block])
    }

    /// Among equals the names decide, which are in order already.
    fn sorted<'s>(
        &self,
        places: &'s [OnceLock<Box<[u32]>>; 2],
        direction: Direction,
        key: impl Fn(Entry<'_>) -> u64,
    ) -> &'s [u32] {
        let (place, mask) = match direction {
            Direction::Ascending => (&places[0], 0),
            Direction::Descending => (&places[1], u64::MAX),
        };
        place.get_or_init(|| {
            let mut keys = Vec::new();
            let blocks = self.blocks.iter();
            let entries =
                blocks.flat_map(|block| (0..block.records.len()).map(|at| block.entry(at)));
            for (index, entry) in (0..).zip(entries) {
                make_room(&mut keys, 1);
                keys.push((key(entry) ^ mask, entry.kind, index));
            }
            keys.sort_unstable_by_key(|(key, kind, index)| (*kind, *key, *index));
            keys.into_iter().map(|(_, _, index): (_, _, u32)| index).collect()
        })
    }

    /// The block that begins with this entry.
    fn block_from(&self, kind: EntryKind, name: &[u8]) -> Option<&Arc<Block>> {
        let found = self.blocks.binary_search_by(|block| {
            let first = block.entry(0);
            compare((first.kind, first.name), (kind, name))
        });
        found.ok().map(|at| &self.blocks[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Entry<'_> {
        Entry {
            name: name.as_bytes(),
            kind: EntryKind::File,
            length: Some(7),
            modified: Some(Timestamp::UNIX_EPOCH),
        }
    }

    fn numbered(
        numbers: impl Iterator<Item = usize>,
        previous: Option<&Arc<Entries>>,
    ) -> Arc<Entries> {
        let mut unsorted = Unsorted::default();
        for number in numbers {
            unsorted.push(file(&format!("file {number}")));
        }
        unsorted.into_entries(previous)
    }

    fn blocks_not_in(entries: &Entries, other: &Entries) -> usize {
        let is_there =
            |block: &Arc<Block>| other.blocks.iter().any(|there| Arc::ptr_eq(block, there));
        entries.blocks.iter().filter(|block| !is_there(block)).count()
    }

    #[test]
    fn what_did_not_change_is_shared_with_the_reading_before() {
        let first = numbered((0..20_000).rev(), None);
        assert!(first.blocks.len() > 50, "{}", first.blocks.len());
        let again = numbered(0..20_000, Some(&first));
        assert!(Arc::ptr_eq(&again, &first), "nothing changed");
        for (what, changed) in [
            ("one more at the end", numbered(0..20_001, Some(&first))),
            ("one less at the beginning", numbered(1..20_000, Some(&first))),
            ("one less amidst", numbered((0..20_000).filter(|n| *n != 10_000), Some(&first))),
            ("all but the beginning", numbered(0..10_000, Some(&first))),
        ] {
            assert!(!Arc::ptr_eq(&changed, &first), "{what}");
            let fresh = blocks_not_in(&changed, &first);
            assert!(fresh <= 3, "{what}: {fresh}");
        }
        assert_eq!(numbered(0..0, Some(&first)).len(), 0);
    }

    #[test]
    fn names_are_shared_where_only_sizes_and_times_changed() {
        let entries_of = |length, previous| {
            let mut unsorted = Unsorted::default();
            for number in 0..1000 {
                let name = format!("file {number}");
                unsorted.push(Entry { length: Some(length), ..file(&name) });
            }
            unsorted.into_entries(previous)
        };
        let first = entries_of(1, None);
        let second = entries_of(2, Some(&first));
        assert_eq!(first.blocks.len(), second.blocks.len());
        for (before, after) in first.blocks.iter().zip(&second.blocks) {
            assert!(!Arc::ptr_eq(before, after) && Arc::ptr_eq(&before.names, &after.names));
            assert_eq!(after.entry(0).length, Some(2));
        }
    }

    #[test]
    fn directories_come_first_whichever_way_the_rest_is_sorted() {
        let entry = |name, kind, length, second| Entry {
            name,
            kind,
            length,
            modified: Timestamp::from_second(second).ok(),
        };
        let mut unsorted = Unsorted::default();
        for entry in [
            entry(&b"b"[..], EntryKind::Directory, None, 1),
            entry(b"a", EntryKind::Directory, None, 5),
            entry(b"f2", EntryKind::File, Some(7), 2),
            entry(b"f10", EntryKind::File, Some(1), -3),
            entry(b"e", EntryKind::File, Some(7), 2),
            entry(b"unknown", EntryKind::File, None, i64::MAX),
        ] {
            unsorted.push(entry);
        }
        let entries = unsorted.into_entries(None);
        for (query, expected) in [
            ("", "a b e f2 f10 unknown"),
            ("order=desc", "b a unknown f10 f2 e"),
            ("sort=size", "a b unknown f10 e f2"),
            ("sort=size&order=desc", "a b e f2 f10 unknown"),
            ("sort=date", "b a unknown f10 e f2"),
            ("sort=date&order=desc", "a b e f2 f10 unknown"),
        ] {
            let order = Order::from_query(query.as_bytes());
            let names: Vec<_> = (0..entries.len())
                .map(|at| String::from_utf8_lossy(entries.in_order(order, at).name))
                .collect();
            assert_eq!(names.join(" "), expected, "{query}");
        }
    }

    #[test]
    fn entries_come_back_as_they_went_in() {
        let entries = [
            Entry { kind: EntryKind::Directory, length: None, ..file("d") },
            Entry { modified: None, ..file("a") },
            Entry { length: None, ..file("b") },
            Entry { length: Some(u64::MAX - 1), ..file("\u{fffd}") },
        ];
        let mut unsorted = Unsorted::default();
        for entry in entries.iter().rev() {
            unsorted.push(*entry);
        }
        let read = unsorted.into_entries(None);
        let order = Order::default();
        let listed: Vec<_> = (0..read.len()).map(|at| read.in_order(order, at)).collect();
        assert_eq!(listed, entries);
        let totals = Totals { directories: 1, files: 3, bytes: u64::MAX };
        assert_eq!(read.totals(), totals);
    }
}
