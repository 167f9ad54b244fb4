//! Small files in memory, never stale: each use is checked against the file's present state.
//!
//! Opening, reading and closing a file took a third of a kept request's time. A file in memory takes one
//! `statx`. Whatever has changed is opened anew, so what may be served is decided in one place, [`Root`].
//!
//! Not kept are
//! - files that changed within the last step of their file system's clock: a further change could go
//!   unnoticed;
//! - files of network file systems and of FUSE: another machine's clock may set their times;
//! - files behind a symbolic link: the link may lead elsewhere, or out of the root, at any time, and only
//!   opening finds out (with links followed anywhere they are kept);
//! - files of length 0, as those in `/proc` seem to be.
//!
//! Precompressed files are kept like others. What is noticed late, or not at all:
//! - A directory on the way that was moved out of the root and replaced by a link to it still leads to the
//!   same file. The directories are looked at again when the root is opened again, once a second; looking at
//!   one for each request took a twelfth of its time.
//! - A program that writes through a shared mapping (mmap(2)) may change no times, and a single write that
//!   takes longer than the clock's step changes them before the content. `ETag` and `Last-Modified` miss
//!   these changes too.

use std::fs::{File, Metadata};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::content_type;
use super::file::{FileContent, FileDescription, StaticFile, content_type_of};
use super::file_state::{FileState, has_local_clock};
use super::root::Root;
use super::sniff::Sample;

/// Longest file that is kept. From this size on `sendfile` took no more CPU time than a copy from memory.
const MAX_FILE_BYTES: u64 = 128 * 1024;

/// Memory that an entry takes beside path and content.
const ENTRY_BYTES: u64 = 512;

/// The most that an entry takes beside its content: its path is at most 4 KiB long.
const MOST_OVERHEAD_BYTES: u64 = ENTRY_BYTES + 4096;

/// For how many files there are table entries from the start; more are made when they are needed.
const ESTIMATED_FILES: usize = 1024;

/// The parts of a larger cache, each with a lock of its own. A smaller cache has one part, as a file must
/// fit into its part.
const PARTS: u64 = 8;

/// The files, by their paths beneath the root.
#[derive(Debug)]
pub(super) struct FileCache {
    /// `None` if nothing is to be kept.
    files: Option<Cache<Box<[u8]>, Arc<CachedFile>, EntryWeighter>>,
    /// Longer files are not kept.
    max_file_bytes: u64,
}

#[derive(Debug)]
struct CachedFile {
    state: FileState,
    description: Arc<FileDescription>,
    content: Arc<[u8]>,
    /// The number of the root in which the directories of the path were looked at last.
    looked_at_in: AtomicU64,
}

#[derive(Clone, Debug)]
struct EntryWeighter;

impl Weighter<Box<[u8]>, Arc<CachedFile>> for EntryWeighter {
    fn weight(&self, path: &Box<[u8]>, file: &Arc<CachedFile>) -> u64 {
        (path.len() + file.content.len()) as u64 + ENTRY_BYTES
    }
}

impl FileCache {
    /// A cache of at most so many bytes; 0 keeps nothing. Content that is still being sent is held beside it.
    pub(super) fn new(bytes: u64) -> Self {
        let parts = if bytes / PARTS >= 4 * MAX_FILE_BYTES { PARTS } else { 1 };
        let options = OptionsBuilder::new()
            .shards(usize::try_from(parts).expect("it is at most PARTS"))
            .weight_capacity(bytes)
            .estimated_items_capacity(ESTIMATED_FILES)
            .build()
            .expect("capacity and estimate are given");
        let cache = || {
            Cache::with_options(
                options,
                EntryWeighter,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            )
        };
        let is_possible = bytes > 0 && cfg!(target_os = "linux");
        let max_file_bytes =
            MAX_FILE_BYTES.min((bytes / parts).saturating_sub(MOST_OVERHEAD_BYTES));
        Self { files: is_possible.then(cache), max_file_bytes }
    }

    /// The file at `relative`, if it is in memory and unchanged.
    pub(super) fn find(&self, root: &Root, relative: &[u8]) -> Option<StaticFile> {
        let cached = self.files.as_ref()?.get(relative)?;
        if cached.looked_at_in.load(Ordering::Relaxed) != root.number() {
            if root.has_link_before(relative) {
                return None;
            }
            cached.looked_at_in.store(root.number(), Ordering::Relaxed);
        }
        (root.state_of(relative)? == cached.state).then(|| cached.to_file())
    }

    /// Reads a file that was opened at `relative` after `before`, and keeps it if it is unchanged and still
    /// there when it has been read. `None` if it is not to be kept.
    pub(super) fn load(
        &self,
        root: &Root,
        relative: &[u8],
        file: &File,
        metadata: &Metadata,
        before: SystemTime,
    ) -> Option<StaticFile> {
        let files = self.files.as_ref()?;
        let state = FileState::of(metadata);
        let length = state.version.size;
        let is_current = || {
            !root.has_link_before(relative)
                && root.state_of(relative).is_some_and(|now| now == state)
        };
        if length == 0
            || length > self.max_file_bytes
            || !state.is_settled(before)
            || !has_local_clock(file)
            || !is_current()
        {
            return None;
        }
        let mut content = vec![0; usize::try_from(length).ok()?];
        file.read_exact_at(&mut content, 0).ok()?;
        if !is_current() {
            return None;
        }
        let name = relative.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let content_type = content_type_of(name, || Ok(Sample::of(&content))).ok()?;
        let coding = content_type::coding(name);
        let description = FileDescription::new(state.version, content_type, coding, before);
        let cached = Arc::new(CachedFile {
            state,
            description: Arc::new(description),
            content: content.into(),
            looked_at_in: AtomicU64::new(root.number()),
        });
        let file = cached.to_file();
        files.insert(relative.into(), cached);
        Some(file)
    }
}

impl CachedFile {
    fn to_file(&self) -> StaticFile {
        let content = FileContent::Loaded(Arc::clone(&self.content));
        StaticFile::new(content, Arc::clone(&self.description))
    }
}

#[cfg(test)]
mod tests;
