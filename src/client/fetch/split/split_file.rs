//! One large file that several connections fetch, each into its place.
//!
//! The worker of the job leads: it receives the first response from the beginning on. Workers without a
//! job help: each claims half of the largest missing piece. Each piece is requested with `Range` and
//! `If-Range`. A worker that completes its piece claims the next. A response that reaches the end of its
//! piece continues into the next one if no worker receives that, so that a server without ranges serves
//! the file in one stream. The missing pieces are noted beside the part at intervals.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::pieces::{MIN_PIECE_BYTES, Pieces};
use crate::client::error::FetchError;
use crate::client::store::part::LockedPart;
use crate::client::store::part_notes::{self, Notes};
use crate::client::store::part_paths::TemporaryFile;
use crate::lock::{lock, wait_timeout};

/// The least length of a file that is split.
pub(crate) const MIN_SPLIT_BYTES: u64 = 2 * MIN_PIECE_BYTES;

/// The least time between two writes of the notes.
const NOTE_INTERVAL: Duration = Duration::from_millis(500);

/// The longest wait for a piece before the state is examined again.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The role of a worker in fetching a split file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SplitRole {
    /// It has the job.
    Leader,
    /// It has no job, and helps.
    Helper,
}

/// The file that is to be split.
#[derive(Debug)]
pub(crate) struct SplitSource {
    /// The index of its job.
    pub(crate) index: usize,
    pub(crate) notes: Notes,
    pub(crate) total_bytes: u64,
    /// The most connections that fetch it.
    pub(crate) connections: usize,
}

/// A file that several connections fetch.
#[derive(Debug)]
pub(crate) struct SplitFile {
    part: LockedPart,
    source: SplitSource,
    state: Mutex<State>,
    /// Wakes the leader when a piece or a helper is released.
    changed: Condvar,
    /// Bytes that helpers have received.
    helped_bytes: AtomicU64,
}

#[derive(Debug)]
struct State {
    pieces: Pieces,
    helpers: usize,
    max_helpers: usize,
    noted: Instant,
    /// The part is complete or removed, and no notes may be written.
    is_closed: bool,
}

/// The right to receive a piece; dropping it frees the missing rest of the piece.
#[derive(Debug)]
pub(crate) struct PieceClaim<'s> {
    split: &'s SplitFile,
    index: usize,
    role: SplitRole,
}

/// The right to help; dropping it lets another worker help.
#[derive(Debug)]
pub(crate) struct HelperSlot<'s>(&'s SplitFile);

impl SplitFile {
    /// Begins a file with an empty part: sets its length and writes its notes.
    pub(crate) fn begin(part: LockedPart, source: SplitSource) -> Result<Self, FetchError> {
        let total = source.total_bytes;
        allocate(&part.file, total)
            .map_err(|error| part.paths.failure(TemporaryFile::Part, error))?;
        let split = Self::resume(part, source, vec![(0, total - 1)]);
        split.write_notes(&lock(&split.state))?;
        Ok(split)
    }

    /// Continues a part with these missing pieces, given by first and last byte.
    pub(crate) fn resume(part: LockedPart, source: SplitSource, missing: Vec<(u64, u64)>) -> Self {
        let state = State {
            pieces: Pieces::new(missing),
            helpers: 0,
            max_helpers: source.connections.saturating_sub(1),
            noted: Instant::now(),
            is_closed: false,
        };
        Self {
            part,
            source,
            state: Mutex::new(state),
            changed: Condvar::new(),
            helped_bytes: AtomicU64::new(0),
        }
    }

    /// The index of its job.
    pub(crate) fn index(&self) -> usize {
        self.source.index
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.source.total_bytes
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.source.notes
    }

    /// The part, to complete it.
    pub(crate) fn locked_part(&self) -> LockedPart {
        self.part.clone()
    }

    /// Prevents further notes. To be called before the part is completed or removed, as a helper may still
    /// be writing bytes that the leader has received too.
    pub(crate) fn close(&self) {
        lock(&self.state).is_closed = true;
    }

    /// Removes the part and its notes, and lets the part be claimed anew although helpers may still hold
    /// the file.
    pub(crate) fn remove(&self) {
        self.close();
        self.part.paths.remove_all();
        // Fails where the file system has no locks.
        let _ = self.part.file.unlock();
    }

    pub(crate) fn missing_bytes(&self) -> u64 {
        lock(&self.state).pieces.missing_bytes()
    }

    /// The number of bytes that have been received.
    pub(crate) fn present_bytes(&self) -> u64 {
        self.source.total_bytes - self.missing_bytes()
    }

    /// Bytes that helpers have received.
    pub(crate) fn helped_bytes(&self) -> u64 {
        self.helped_bytes.load(Ordering::Relaxed)
    }

    /// Claims a piece, if there is one to receive.
    pub(crate) fn claim(&self, role: SplitRole) -> Option<PieceClaim<'_>> {
        let index = lock(&self.state).pieces.claim()?;
        Some(PieceClaim { split: self, index, role })
    }

    /// Lets one more worker help, if there is a piece for it.
    pub(crate) fn help(&self) -> Option<HelperSlot<'_>> {
        let mut state = lock(&self.state);
        state.wants_helper().then(|| {
            state.helpers += 1;
            HelperSlot(self)
        })
    }

    /// Whether one more worker could help.
    pub(super) fn wants_helper(&self) -> bool {
        lock(&self.state).wants_helper()
    }

    /// The server has sent a range as requested.
    pub(crate) fn set_ranges_honoured(&self) {
        lock(&self.state).pieces.set_ranges_honoured();
    }

    /// Whether helpers may continue.
    pub(crate) fn allows_help(&self) -> bool {
        lock(&self.state).max_helpers > 0
    }

    /// Lowers the number of connections by one.
    pub(crate) fn reduce_helpers(&self) {
        let mut state = lock(&self.state);
        state.max_helpers = state.max_helpers.saturating_sub(1);
    }

    /// Accepts no more help, such as because the server has no ranges.
    pub(crate) fn refuse_help(&self) {
        lock(&self.state).max_helpers = 0;
    }

    /// Waits until a piece may be free or none is missing, at most [`POLL_INTERVAL`].
    pub(crate) fn wait(&self) {
        let state = lock(&self.state);
        drop(wait_timeout(&self.changed, state, POLL_INTERVAL));
    }

    /// Writes the missing pieces to the notes.
    pub(crate) fn note_missing(&self) -> Result<(), FetchError> {
        self.write_notes(&lock(&self.state))
    }

    fn write_notes(&self, state: &State) -> Result<(), FetchError> {
        let missing = Some(state.pieces.missing());
        let notes = Notes { missing, ..self.source.notes.clone() };
        part_notes::write(&self.part.paths, &notes, &self.part.file)
    }
}

/// Gives an empty file its full length, and the space for it where the file system can reserve that.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP) => file.set_len(bytes),
        allocated => Ok(allocated?),
    }
}

impl State {
    fn wants_helper(&self) -> bool {
        self.helpers < self.max_helpers && self.pieces.are_worth_help()
    }
}

impl PieceClaim<'_> {
    /// The first and the last missing byte of the piece.
    pub(crate) fn range(&self) -> (u64, u64) {
        let piece = lock(&self.split.state).pieces.get(self.index);
        (piece.next, piece.end - 1)
    }

    /// Writes the next bytes into their place, as far as they belong to this piece; `false` if the worker
    /// should receive no more of it.
    pub(crate) fn write(&self, content: &[u8]) -> Result<bool, FetchError> {
        let split = self.split;
        let LockedPart { paths, file } = &split.part;
        let mut content = content;
        loop {
            let piece = lock(&split.state).pieces.get(self.index);
            let length =
                usize::try_from(piece.bytes()).map_or(content.len(), |n| n.min(content.len()));
            let (own, others) = content.split_at(length);
            file.write_all_at(own, piece.next)
                .map_err(|error| paths.failure(TemporaryFile::Part, error))?;
            if self.role == SplitRole::Helper {
                split.helped_bytes.fetch_add(length as u64, Ordering::Relaxed);
            }
            let is_complete = self.advance(length as u64)?;
            if is_complete {
                return Ok(false);
            }
            if others.is_empty() {
                return Ok(self.role == SplitRole::Leader || split.allows_help());
            }
            content = others;
        }
    }

    /// Counts written bytes, writes the notes if they are due, and says whether the piece is complete.
    fn advance(&self, bytes: u64) -> Result<bool, FetchError> {
        let mut state = lock(&self.split.state);
        state.pieces.advance(self.index, bytes);
        if !state.is_closed && state.noted.elapsed() >= NOTE_INTERVAL {
            state.noted = Instant::now();
            self.split.write_notes(&state)?;
        }
        Ok(state.pieces.get(self.index).bytes() == 0)
    }
}

impl Drop for PieceClaim<'_> {
    fn drop(&mut self) {
        lock(&self.split.state).pieces.release(self.index);
        self.split.changed.notify_all();
    }
}

impl Drop for HelperSlot<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).helpers -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::client::plan::job::Job;
    use crate::client::store::directory::OutputDirectory;
    use crate::client::store::part::{Earlier, find_earlier};
    use crate::client::store::part_paths::PartPaths;
    use crate::client::store::validator::Validator;

    const MIB: u64 = 1 << 20;

    fn split(root: &std::path::Path, total_bytes: u64, connections: usize) -> SplitFile {
        let target = OutputDirectory::prepare(root).unwrap().target_path("a").unwrap();
        let paths = PartPaths::choose(&target).unwrap();
        let file = paths.create_part().unwrap();
        let validator = Validator::Tag("\"x\"".into());
        let length = Some(total_bytes);
        let notes = Notes { url: "http://h/a".into(), validator, length, missing: None };
        let source = SplitSource { index: 0, notes, total_bytes, connections };
        SplitFile::begin(LockedPart { paths, file }, source).unwrap()
    }

    #[test]
    fn each_worker_claims_a_piece_of_its_own_until_none_is_long_enough() {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 8 * MIB, 16);
        let claims: Vec<_> = std::iter::from_fn(|| split.claim(SplitRole::Leader)).collect();
        let mut ranges: Vec<_> = claims.iter().map(PieceClaim::range).collect();
        ranges.sort_unstable();
        let expected: Vec<_> = (0..8).map(|n| (n * MIB, (n + 1) * MIB - 1)).collect();
        assert_eq!(ranges, expected);
        drop(claims);
        assert!(split.claim(SplitRole::Leader).is_some(), "a dropped claim frees its piece");
    }

    #[test]
    fn a_stream_continues_into_a_piece_that_nobody_receives_or_has_begun_to_receive() {
        for gives_up in [true, false] {
            let root = tempfile::tempdir().unwrap();
            let split = split(root.path(), 2 * MIB, 2);
            let lead = split.claim(SplitRole::Leader).unwrap();
            let helper = split.claim(SplitRole::Helper).filter(|_| !gives_up);
            let content: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(2 << 20).collect();
            for (number, piece) in content.chunks(100_000).enumerate() {
                assert_eq!(lead.write(piece).unwrap(), number < 20, "{number}");
            }
            assert_eq!(split.missing_bytes(), 0);
            if let Some(helper) = helper {
                assert!(!helper.write(b"late").unwrap(), "its piece is complete");
            }
            assert!(
                std::fs::read(split.part.paths.path_of(TemporaryFile::Part)).unwrap() == content
            );
        }
    }

    #[test]
    fn missing_pieces_are_noted_and_bytes_of_other_pieces_are_not_written() {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 4 * MIB, 2);
        let lead = split.claim(SplitRole::Leader).unwrap();
        let helper = split.claim(SplitRole::Helper).unwrap();
        split.set_ranges_honoured();
        helper.write(b"help").unwrap();
        assert!(!lead.write(&vec![b'l'; 3 << 20]).unwrap());
        assert_eq!((split.missing_bytes(), split.helped_bytes()), (2 * MIB - 4, 4));
        split.note_missing().unwrap();
        let job = Job {
            url: Url::parse("http://h/a").unwrap(),
            credentials: None,
            file_name: "a".into(),
            checksum: None,
            is_name_chosen: false,
        };
        split.part.file.unlock().unwrap();
        let target = OutputDirectory::prepare(root.path()).unwrap().target_path("a").unwrap();
        let Ok(Earlier::Part(found)) = find_earlier(&target, &job) else { panic!() };
        assert_eq!(found.notes.missing, Some(vec![(2 * MIB + 4, 4 * MIB - 1)]));
        let written = std::fs::read(split.part.paths.path_of(TemporaryFile::Part)).unwrap();
        assert_eq!(&written[(2 << 20) - 1..(2 << 20) + 4], b"lhelp");
    }

    #[test]
    fn a_late_helper_writes_no_notes() {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 2 * MIB, 2);
        let lead = split.claim(SplitRole::Leader).unwrap();
        let late = split.claim(SplitRole::Helper).unwrap();
        lead.write(&vec![b'l'; 2 << 20]).unwrap();
        split.remove();
        lock(&split.state).noted = Instant::now().checked_sub(2 * NOTE_INTERVAL).unwrap();
        late.write(b"late").unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn helpers_are_fewer_than_the_connections() {
        let root = tempfile::tempdir().unwrap();
        let split = split(root.path(), 64 * MIB, 3);
        let _lead = split.claim(SplitRole::Leader).unwrap();
        let (one, two) = (split.help().unwrap(), split.help().unwrap());
        assert!(split.help().is_none());
        drop(one);
        assert!(split.wants_helper());
        split.refuse_help();
        drop(two);
        assert!(split.help().is_none());
    }
}
