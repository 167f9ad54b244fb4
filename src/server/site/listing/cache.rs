//! Shares one reading of a directory among concurrent listings and archives of it.
//!
//! A directory that takes long to read is read by one thread while others wait, and its reading is reused
//! for a short time. Each reading takes unchanged entries from the one before, so that all responses that
//! are still being sent share them. A directory is dropped with its last listing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rustix::io::Errno;

use super::directory_id::DirectoryId;
use super::entries::Entries;
use super::failures::FailureLog;
use super::order::Order;
use super::reader::DirectoryReader;
use crate::lock::lock;

/// Longest time that a reading is reused: a change within a file does not change the directory.
const MAX_AGE: Duration = Duration::from_secs(1);

/// A reading is reused for at most this many times the time it took: a directory that is read quickly is
/// read for each request, and one that is read slowly takes a tenth of a processor at most.
const AGE_FACTOR: u32 = 10;

/// A directory that changed less than this before it was read may change again without a new time of
/// change: the clocks of file systems tick every 10 ms or faster.
const CLOCK_TICKS: Duration = Duration::from_millis(50);

/// The latest readings of the directories that are being listed.
#[derive(Debug, Default)]
pub(in crate::server::site) struct ListingCache {
    directories: Arc<Directories>,
    failures: FailureLog,
}

type Directories = Mutex<HashMap<DirectoryId, CacheEntry>>;

#[derive(Debug, Default)]
struct CacheEntry {
    /// How many listings share the directory; not zero.
    shares: usize,
    directory: Arc<CachedDirectory>,
}

#[derive(Debug, Default)]
struct CachedDirectory {
    /// Locked while the directory is read.
    latest: Mutex<Option<LatestReading>>,
}

/// The result of the latest reading of a directory.
#[derive(Debug)]
struct LatestReading {
    result: Result<Arc<Entries>, Errno>,
    started_at: Instant,
    ended_at: Instant,
    times: ChangeTimes,
    /// A later change of the directory changes [`Self::times`].
    is_settled: bool,
}

/// When a directory was last changed, by the clock of its file system; each in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ChangeTimes {
    content: (i64, i64),
    status: (i64, i64),
}

/// The entries of a directory, which stays in the cache meanwhile.
#[derive(Debug)]
pub(in crate::server::site) struct SharedEntries {
    pub(super) entries: Arc<Entries>,
    _share: Share,
}

impl SharedEntries {
    /// The name of the entry at `position`, by name, directories first.
    pub(in crate::server::site) fn name_at(&self, position: usize) -> Option<&[u8]> {
        let is_entry = position < self.entries.len();
        is_entry.then(|| self.entries.in_order(Order::default(), position).name)
    }
}

/// Keeps a directory in the cache until the last share is dropped.
#[derive(Debug)]
struct Share {
    directories: Arc<Directories>,
    id: DirectoryId,
    directory: Arc<CachedDirectory>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut directories = lock(&self.directories);
        if let Entry::Occupied(mut entry) = directories.entry(self.id) {
            entry.get_mut().shares -= 1;
            if entry.get().shares == 0 {
                entry.remove();
            }
        }
    }
}

impl ListingCache {
    /// The current entries of a directory, read now or reused.
    ///
    /// # Errors
    /// [`DirectoryReader::read`] fails.
    pub(in crate::server::site) fn read(
        &self,
        reader: &DirectoryReader<'_>,
    ) -> io::Result<SharedEntries> {
        let requested = Instant::now();
        let id = DirectoryId::of(&reader.directory.metadata()?);
        let share = self.share(id);
        let mut latest = lock(&share.directory.latest);
        let times = ChangeTimes::of(&reader.directory.metadata()?);
        let result = match latest.as_ref() {
            Some(latest) if latest.is_current(requested, times) => latest.result.clone(),
            previous => {
                let previous = previous.and_then(|latest| latest.result.as_ref().ok());
                let (started_at, is_settled) =
                    (Instant::now(), times.are_settled(SystemTime::now()));
                let result = reader.read().map(|reading| {
                    self.failures.report(id, reader.relative, reading.failed);
                    reading.entries.into_entries(previous)
                });
                let ended_at = Instant::now();
                *latest = Some(LatestReading {
                    result: result.clone(),
                    started_at,
                    ended_at,
                    times,
                    is_settled,
                });
                result
            }
        };
        drop(latest);
        Ok(SharedEntries { entries: result?, _share: share })
    }

    /// How many directories are being listed.
    #[cfg(test)]
    pub(in crate::server::site) fn len(&self) -> usize {
        lock(&self.directories).len()
    }

    /// Shares a directory with the other listings of it. Reads nothing while the cache is locked, so that a
    /// directory that does not respond delays no listing of another.
    fn share(&self, id: DirectoryId) -> Share {
        let mut directories = lock(&self.directories);
        let entry = directories.entry(id).or_default();
        entry.shares += 1;
        let directory = Arc::clone(&entry.directory);
        Share { directories: Arc::clone(&self.directories), id, directory }
    }
}

impl LatestReading {
    /// Whether it answers a request of `requested` for a directory that has these times of change.
    fn is_current(&self, requested: Instant, times: ChangeTimes) -> bool {
        let max_age = MAX_AGE.min((self.ended_at - self.started_at) * AGE_FACTOR);
        self.started_at >= requested
            || self.is_settled
                && self.times == times
                && requested.saturating_duration_since(self.ended_at) <= max_age
    }
}

impl ChangeTimes {
    fn of(metadata: &Metadata) -> Self {
        Self {
            content: (metadata.mtime(), metadata.mtime_nsec()),
            status: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether another change would result in another time.
    fn are_settled(self, now: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.content.max(self.status);
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let settled = now.saturating_sub(CLOCK_TICKS).as_nanos();
        i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds) < settled.cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// The result of a reading that began at `started_at` and took so many milliseconds.
    fn reading(started_at: Instant, milliseconds: u32, is_settled: bool) -> LatestReading {
        LatestReading {
            result: Ok(Arc::default()),
            started_at,
            ended_at: started_at + MILLISECOND * milliseconds,
            times: ChangeTimes { content: (7, 0), status: (7, 0) },
            is_settled,
        }
    }

    #[test]
    fn a_reading_is_reused_while_it_is_current() {
        let started_at = Instant::now();
        let same = ChangeTimes { content: (7, 0), status: (7, 0) };
        let other = ChangeTimes { content: (7, 1), ..same };
        for (took, is_settled, requested, times, expected) in [
            (20, true, 0, same, true),
            (20, true, 220, same, true),
            (20, true, 221, same, false),
            (20, true, 100, other, false),
            (20, false, 100, same, false),
            (500, true, 1500, same, true),
            (500, true, 1501, same, false),
            (0, true, 1, same, false),
            // Requested before the reading began.
            (20, false, 0, other, true),
        ] {
            let latest = reading(started_at, took, is_settled);
            let requested = started_at + MILLISECOND * requested;
            assert_eq!(latest.is_current(requested, times), expected, "{took} {requested:?}");
        }
    }

    #[test]
    fn the_times_of_a_recent_change_are_not_settled() {
        let times = ChangeTimes { content: (1, 0), status: (2, 500_000_000) };
        for (milliseconds, expected) in
            [(1_000, false), (2_500, false), (2_550, false), (2_551, true), (9_000, true)]
        {
            let now = SystemTime::UNIX_EPOCH + MILLISECOND * milliseconds;
            assert_eq!(times.are_settled(now), expected, "{milliseconds}");
        }
    }
}
