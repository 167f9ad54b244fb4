//! One large file over several connections, each bringing a piece of it into its place.
//!
//! The worker that has the job leads: it receives the first answer from the beginning on, while workers
//! that have nothing else to do take half of the largest rest each. Every piece is asked for with
//! `Range` and `If-Range`. Who is done takes the next half; whose end comes into reach of a piece that
//! nobody brings goes on into it, so that a server which honours no ranges is received in one stream all
//! the same. What is missing is noted beside the part from time to time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::client::error::FetchError;
use crate::client::store::part_notes;
use crate::client::store::part_notes::Notes;
use crate::client::store::part_paths::{PartPaths, TemporaryFile};

/// Who receives a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Leader,
    Helper,
}

/// The least that is worth a request of its own.
pub(crate) const MIN_PIECE_BYTES: u64 = 1 << 20;

/// How often it is noted what is missing, at most.
const NOTE_INTERVAL: Duration = Duration::from_millis(500);

/// A file that several connections bring.
#[derive(Debug)]
pub(crate) struct SplitFile {
    /// Which job it is of.
    pub(crate) index: usize,
    pub(crate) total: u64,
    place: PartPaths,
    file: File,
    notes: Notes,
    pieces: Mutex<Pieces>,
    changed: Condvar,
    /// What others than the leader have received.
    helped: AtomicU64,
}

#[derive(Debug)]
struct Pieces {
    /// Not in order; those that are complete stay, empty.
    list: Vec<Piece>,
    /// The server has sent a piece as it was asked for one.
    are_ranges_honoured: bool,
    helpers: usize,
    most_helpers: usize,
    noted: Instant,
    /// The part has got its final name or is removed: there is nothing to note of it.
    is_over: bool,
}

/// Bytes that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    next: u64,
    end: u64,
    is_taken: bool,
}

/// The right to bring a piece; dropped, what is missing of it is anybody's.
#[derive(Debug)]
pub(crate) struct Taken<'s> {
    split: &'s SplitFile,
    at: usize,
}

/// The place of a helper; dropped, another may have it.
#[derive(Debug)]
pub(crate) struct Helping<'s>(&'s SplitFile);

impl SplitFile {
    /// Begins a file of `total` bytes for which there is an empty part.
    pub(crate) fn begin(
        index: usize,
        (place, file): (PartPaths, File),
        (notes, total): (Notes, u64),
        connections: usize,
    ) -> Result<Self, FetchError> {
        let all = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, total);
        match all {
            // Some file systems cannot set space aside.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                file.set_len(total).map_err(|error| place.failure(TemporaryFile::Part, error))?;
            }
            Err(error) => return Err(place.failure(TemporaryFile::Part, error.into())),
            Ok(()) => {}
        }
        let split =
            Self::over(index, (place, file), (notes, total), connections, vec![(0, total - 1)]);
        split.note(&split.lock())?;
        Ok(split)
    }

    /// Goes on with a part of which these bytes are missing, as first and last.
    pub(crate) fn over(
        index: usize,
        (place, file): (PartPaths, File),
        (notes, total): (Notes, u64),
        connections: usize,
        missing: Vec<(u64, u64)>,
    ) -> Self {
        let list = missing
            .into_iter()
            .map(|(first, last)| Piece { next: first, end: last + 1, is_taken: false })
            .collect();
        let most_helpers = connections.saturating_sub(1);
        let (are_ranges_honoured, helpers) = (false, 0);
        let begun = Instant::now();
        let pieces = Pieces {
            list,
            are_ranges_honoured,
            helpers,
            most_helpers,
            noted: begun,
            is_over: false,
        };
        Self {
            index,
            total,
            place,
            file,
            notes,
            pieces: Mutex::new(pieces),
            changed: Condvar::new(),
            helped: AtomicU64::new(0),
        }
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    pub(crate) fn place(&self) -> &PartPaths {
        &self.place
    }

    /// The file, for whoever completes it.
    pub(crate) fn file(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Ends the notes, before the part gets its final name or is removed: a helper may still be writing
    /// what the leader has as well.
    pub(crate) fn end_notes(&self) {
        self.lock().is_over = true;
    }

    /// Lets the part be claimed anew, though helpers may hold on to it for a while.
    pub(crate) fn release(&self) {
        // Where there are no locks there is nothing to release.
        let _ = self.file.unlock();
    }

    /// How many bytes are missing.
    pub(crate) fn missing_bytes(&self) -> u64 {
        self.lock().list.iter().map(|piece| piece.end - piece.next).sum()
    }

    /// How many bytes are there.
    pub(crate) fn covered_bytes(&self) -> u64 {
        self.total - self.missing_bytes()
    }

    pub(crate) fn helped_bytes(&self) -> u64 {
        self.helped.load(Ordering::Relaxed)
    }

    /// A piece that nobody brings, or else half of the largest rest if that is large enough.
    pub(crate) fn take(&self) -> Option<Taken<'_>> {
        let mut pieces = self.lock();
        let free = |piece: &Piece| !piece.is_taken && piece.next < piece.end;
        if let Some(at) = pieces.list.iter().position(free) {
            pieces.list[at].is_taken = true;
            return Some(Taken { split: self, at });
        }
        let largest = pieces.list.iter_mut().max_by_key(|piece| piece.end - piece.next)?;
        let rest = largest.end - largest.next;
        if rest < 2 * MIN_PIECE_BYTES {
            return None;
        }
        // What its owner is writing at present is shorter than what it keeps.
        let middle = largest.end - rest / 2;
        let half = Piece { next: middle, end: largest.end, is_taken: true };
        largest.end = middle;
        pieces.list.push(half);
        Some(Taken { split: self, at: pieces.list.len() - 1 })
    }

    /// Lets one more help, if there is something to help with.
    pub(crate) fn help(&self) -> Option<Helping<'_>> {
        let mut pieces = self.lock();
        (pieces.are_worth_help() && pieces.helpers < pieces.most_helpers).then(|| {
            pieces.helpers += 1;
            Helping(self)
        })
    }

    /// Whether somebody could help.
    pub(super) fn wants_help(&self) -> bool {
        let pieces = self.lock();
        pieces.helpers < pieces.most_helpers && pieces.are_worth_help()
    }

    /// A piece begins to come.
    pub(crate) fn ranges_are_honoured(&self) {
        self.lock().are_ranges_honoured = true;
    }

    /// Whether those who help are to go on.
    pub(crate) fn wants_any_help(&self) -> bool {
        self.lock().most_helpers > 0
    }

    /// One connection less is used for it from now on.
    pub(crate) fn has_one_helper_less(&self) {
        let mut pieces = self.lock();
        pieces.most_helpers = pieces.most_helpers.saturating_sub(1);
    }

    /// No help is wanted any more, such as because ranges are not honoured.
    pub(crate) fn refuse_help(&self) {
        self.lock().most_helpers = 0;
    }

    /// Waits until something is free to be taken, nothing is missing, or a while has passed.
    pub(crate) fn wait(&self) {
        let pieces = self.lock();
        let wait = Duration::from_millis(100);
        drop(self.changed.wait_timeout(pieces, wait).expect("no holder panics"));
    }

    /// Notes what is missing.
    pub(crate) fn note_now(&self) -> Result<(), FetchError> {
        self.note(&self.lock())
    }

    fn note(&self, pieces: &Pieces) -> Result<(), FetchError> {
        let missing = pieces
            .list
            .iter()
            .filter(|piece| piece.next < piece.end)
            .map(|piece| (piece.next, piece.end - 1))
            .collect();
        let notes = Notes { missing: Some(missing), ..self.notes.clone() };
        part_notes::write(&self.place, &notes, &self.file)
    }

    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().expect("nothing panics while the pieces are locked")
    }
}

impl Taken<'_> {
    /// The first and the last byte that are missing of it.
    pub(crate) fn range(&self) -> (u64, u64) {
        let piece = self.split.lock().list[self.at];
        (piece.next, piece.end - 1)
    }

    /// Writes what came next into its place, as far as it belongs to this piece; `false` when the piece
    /// is complete.
    pub(crate) fn write(&self, content: &[u8], role: Role) -> Result<bool, FetchError> {
        let split = self.split;
        let piece = split.lock().list[self.at];
        let length = usize::try_from(piece.end - piece.next)
            .map_or(content.len(), |rest| rest.min(content.len()));
        split
            .file
            .write_all_at(&content[..length], piece.next)
            .map_err(|error| split.place.failure(TemporaryFile::Part, error))?;
        if role == Role::Helper {
            split.helped.fetch_add(length as u64, Ordering::Relaxed);
        }
        let mut pieces = split.lock();
        pieces.list[self.at].next += length as u64;
        // Where it ends a piece may begin that nobody brings, or nobody can: then this one goes on.
        if length < content.len() || pieces.list[self.at].next == pieces.list[self.at].end {
            pieces.join_next(self.at);
        }
        if !pieces.is_over && pieces.noted.elapsed() >= NOTE_INTERVAL {
            pieces.noted = Instant::now();
            split.note(&pieces)?;
        }
        let piece = pieces.list[self.at];
        let is_open = piece.next < piece.end;
        drop(pieces);
        if is_open && length < content.len() {
            return self.write(&content[length..], role);
        }
        Ok(is_open && (role == Role::Leader || split.wants_any_help()))
    }
}

impl Pieces {
    fn are_worth_help(&self) -> bool {
        self.list.iter().any(|piece| {
            let rest = piece.end - piece.next;
            rest >= 2 * MIN_PIECE_BYTES || (rest > 0 && !piece.is_taken)
        })
    }

    fn join_next(&mut self, at: usize) {
        let end = self.list[at].end;
        let next = self.list.iter().position(|other| {
            let is_brought = other.is_taken && self.are_ranges_honoured;
            !is_brought && other.next == end && other.next < other.end
        });
        if let Some(next) = next {
            self.list[at].end = self.list[next].end;
            self.list[next].next = self.list[next].end;
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.split.lock().list[self.at].is_taken = false;
        self.split.changed.notify_all();
    }
}

impl Drop for Helping<'_> {
    fn drop(&mut self) {
        self.0.lock().helpers -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::client::plan::job::Job;
    use crate::client::store::directory::OutputDirectory;
    use crate::client::store::part;
    use crate::client::store::part_notes::Validator;

    const MIB: u64 = 1 << 20;

    fn split(root: &std::path::Path, total: u64, connections: usize) -> SplitFile {
        let place = OutputDirectory::prepare(root).unwrap().target_path("a").unwrap();
        let place = PartPaths::choose(&place).unwrap();
        let file = place.begin().unwrap();
        let validator = Validator::Tag("\"x\"".into());
        let notes =
            Notes { url: "http://h/a".into(), validator, length: Some(total), missing: None };
        SplitFile::begin(0, (place, file), (notes, total), connections).unwrap()
    }

    #[test]
    fn the_largest_rest_is_halved_down_to_the_least_piece() {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 8 * MIB, 4);
        let lead = split.take().unwrap();
        assert_eq!(lead.range(), (0, 8 * MIB - 1));
        let taken: Vec<_> = (0..8).map_while(|_| split.take()).collect();
        let mut ranges: Vec<_> = taken.iter().chain([&lead]).map(Taken::range).collect();
        ranges.sort_unstable();
        let expected: Vec<_> = (0..8).map(|n| (n * MIB, (n + 1) * MIB - 1)).collect();
        assert_eq!(ranges, expected);
        drop(taken);
        assert!(split.take().is_some(), "what nobody brings can be taken");
    }

    #[test]
    fn a_stream_goes_on_into_what_nobody_brings_or_has_not_begun_to_bring() {
        for gives_up in [true, false] {
            goes_on(gives_up);
        }
    }

    fn goes_on(gives_up: bool) {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 2 * MIB, 2);
        let lead = split.take().unwrap();
        let mut helper = split.take();
        if gives_up {
            helper = None;
        }
        let content: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(2 << 20).collect();
        for (number, piece) in content.chunks(100_000).enumerate() {
            assert_eq!(lead.write(piece, Role::Leader).unwrap(), number < 20, "{number}");
        }
        assert_eq!(split.missing_bytes(), 0);
        if let Some(helper) = helper {
            assert!(!helper.write(b"late", Role::Helper).unwrap(), "nothing is left to bring");
        }
        assert!(std::fs::read(split.place().path_of(TemporaryFile::Part)).unwrap() == content);
    }

    #[test]
    fn what_is_missing_is_noted_and_what_belongs_to_others_is_not_written() {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 4 * MIB, 2);
        let (lead, help) = (split.take().unwrap(), split.take().unwrap());
        split.ranges_are_honoured();
        help.write(b"help", Role::Helper).unwrap();
        assert!(!lead.write(&vec![b'l'; 3 << 20], Role::Leader).unwrap());
        assert_eq!((split.missing_bytes(), split.helped_bytes()), (2 * MIB - 4, 4));
        split.note_now().unwrap();
        let url = Url::parse("http://h/a").unwrap();
        let job = Job {
            url,
            credentials: None,
            file_name: "a".into(),
            checksum: None,
            is_name_chosen: false,
        };
        split.release();
        let found = part::find_resumable(split.place(), &job).unwrap();
        assert_eq!(found.notes.missing, Some(vec![(2 * MIB + 4, 4 * MIB - 1)]));
        let written = std::fs::read(split.place().path_of(TemporaryFile::Part)).unwrap();
        assert_eq!(&written[(2 << 20) - 1..(2 << 20) + 4], b"lhelp");
    }

    #[test]
    fn a_late_helper_notes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 2 * MIB, 2);
        let (lead, late) = (split.take().unwrap(), split.take().unwrap());
        lead.write(&vec![b'l'; 2 << 20], Role::Leader).unwrap();
        let begun = Instant::now().checked_sub(2 * NOTE_INTERVAL).unwrap();
        split.end_notes();
        split.place().remove_all();
        split.lock().noted = begun;
        late.write(b"late", Role::Helper).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_more_help_than_there_are_connections() {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 64 * MIB, 3);
        let _lead = split.take().unwrap();
        let (one, two) = (split.help().unwrap(), split.help().unwrap());
        assert!(split.help().is_none());
        drop(one);
        assert!(split.wants_help());
        split.refuse_help();
        drop(two);
        assert!(split.help().is_none());
    }
}
