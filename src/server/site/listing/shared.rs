//! One reading of a directory for everyone who asks for it at the same time.
//!
//! Owns how long a reading serves others: while it is current. A directory that takes long to read is read
//! by one thread while the others wait for it, and serves those that come soon after. Each reading takes
//! from the one before it what has not changed, so that all who are still being sent a directory share
//! its entries. Nothing is kept of a directory that is being sent to nobody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rustix::io::Errno;

use super::entries::Entries;
use super::failures::ToldFailures;
use super::identity::Identity;
use super::reading::DirectoryReader;
use crate::server::lock::lock;

/// A reading serves those that come later for at most this long: what changes within a file of the
/// directory does not show in the directory.
const MAX_AGE: Duration = Duration::from_secs(1);

/// It serves them for no longer than so many times what it took: a directory that is read at once is read
/// for each request, and one that takes long takes a tenth of a processor at most.
const AGE_FACTOR: u32 = 10;

/// A directory that was changed less than this before it was read may have been changed again at the same
/// time of change: clocks of file systems tick every 10 ms, or faster.
const TICKS: Duration = Duration::from_millis(50);

/// The directories that are being sent, and who reads them.
#[derive(Debug, Default)]
pub(in crate::server::site) struct SharedReadings {
    directories: Arc<Directories>,
    failures: ToldFailures,
}

/// With the number of their shares, which is not zero.
type Directories = Mutex<HashMap<Identity, (usize, Arc<SharedDirectory>)>>;

#[derive(Debug, Default)]
struct SharedDirectory {
    /// Locked while the directory is read.
    latest: Mutex<Option<Latest>>,
}

/// What the latest reading of a directory gave.
#[derive(Debug)]
struct Latest {
    outcome: Result<Arc<Entries>, Errno>,
    began: Instant,
    ended: Instant,
    changed: Changed,
    /// A later change of the directory shows in [`Latest::changed`].
    is_settled: bool,
}

/// When a directory was changed, by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Changed {
    content: (i64, i64),
    status: (i64, i64),
}

/// What was read of a directory, and its share in the next reading of it.
#[derive(Debug)]
pub(in crate::server::site) struct Reading {
    pub(super) entries: Arc<Entries>,
    _share: Share,
}

/// A share in a directory, which is forgotten with the last one.
#[derive(Debug)]
struct Share {
    directories: Arc<Directories>,
    identity: Identity,
    directory: Arc<SharedDirectory>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut directories = lock(&self.directories);
        if let Entry::Occupied(mut entry) = directories.entry(self.identity) {
            entry.get_mut().0 -= 1;
            if entry.get().0 == 0 {
                entry.remove();
            }
        }
    }
}

impl SharedReadings {
    /// The entries of a directory as they are now: read at this moment, or current.
    ///
    /// # Errors
    /// [`DirectoryReader::read`] fails.
    pub(in crate::server::site) fn read(
        &self,
        reader: &DirectoryReader<'_>,
    ) -> io::Result<Reading> {
        let asked = Instant::now();
        let identity = Identity::of(&reader.directory.metadata()?);
        let share = self.share(identity);
        let mut latest = lock(&share.directory.latest);
        let changed = Changed::of(&reader.directory.metadata()?);
        let outcome = match latest.as_ref() {
            Some(latest) if latest.is_current(asked, changed) => latest.outcome.clone(),
            before => {
                let before = before.and_then(|latest| latest.outcome.as_ref().ok());
                let (began, is_settled) = (Instant::now(), changed.is_settled(SystemTime::now()));
                let outcome = reader.read().map(|(entries, failing)| {
                    self.failures.tell(identity, &reader.path.relative, failing);
                    entries.into_entries(before)
                });
                let shared = outcome.clone();
                let ended = Instant::now();
                *latest = Some(Latest { outcome: shared, began, ended, changed, is_settled });
                outcome
            }
        };
        drop(latest);
        Ok(Reading { entries: outcome?, _share: share })
    }

    /// How many directories are being sent.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        lock(&self.directories).len()
    }

    /// A share in the directory that the others have who are being sent it. Nothing is read meanwhile: a
    /// directory that does not answer holds up nobody who asks for another.
    fn share(&self, identity: Identity) -> Share {
        let mut directories = lock(&self.directories);
        let (shares, directory) = directories.entry(identity).or_default();
        *shares += 1;
        let directory = Arc::clone(directory);
        Share { directories: Arc::clone(&self.directories), identity, directory }
    }
}

impl Latest {
    /// Whether it tells what somebody wants to know who asked at `asked` for a directory that has been
    /// changed at `changed`.
    fn is_current(&self, asked: Instant, changed: Changed) -> bool {
        let max_age = MAX_AGE.min((self.ended - self.began) * AGE_FACTOR);
        self.began >= asked
            || self.is_settled
                && self.changed == changed
                && asked.saturating_duration_since(self.ended) <= max_age
    }
}

impl Changed {
    fn of(metadata: &Metadata) -> Self {
        Self {
            content: (metadata.mtime(), metadata.mtime_nsec()),
            status: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn is_settled(self, now: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.content.max(self.status);
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let settled = now.saturating_sub(TICKS).as_nanos();
        i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds) < settled.cast_signed()
    }
}
