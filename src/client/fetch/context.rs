//! The context that the fetches of a run share, and the record of one job.

use url::Url;

use super::split::split_files::SplitFiles;
use crate::client::observer::Observer;
use crate::client::plan::job::Job;
use crate::client::results::outcome::Phases;
use crate::client::settings::Settings;
use crate::client::store::directory::OutputDirectory;
use crate::client::store::directory_snapshot::DirectorySnapshot;
use crate::client::store::final_name::FinalNames;
use crate::client::store::hasher::Hasher;

/// The context that all fetches of a run share, apart from the network.
pub(crate) struct RunContext<'r> {
    pub(crate) settings: &'r Settings,
    pub(crate) directory: &'r OutputDirectory,
    pub(crate) names: FinalNames<'r>,
    pub(crate) directory_snapshot: &'r DirectorySnapshot,
    pub(crate) splits: SplitFiles,
    pub(crate) observer: &'r dyn Observer,
}

impl RunContext<'_> {
    /// The hasher for a job's content.
    pub(super) fn hasher(&self, job: &Job) -> Hasher {
        Hasher::of(job.checksum.as_ref(), self.settings.saving.hashing)
    }
}

/// A job, and its index in the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'j> {
    pub(crate) index: usize,
    pub(crate) job: &'j Job,
}

/// The record of all attempts at one job.
#[derive(Debug, Default)]
pub(crate) struct JobRecord {
    pub(crate) phases: Phases,
    pub(crate) redirected_to: Option<Box<Url>>,
    /// Bytes of content that came over the network.
    pub(crate) received: u64,
    /// The greatest length that the file has reached and that a failed attempt would have kept. A part
    /// from an earlier run counts once an attempt has continued it.
    pub(crate) furthest_bytes: u64,
    /// Encoded content was received incompletely. It cannot be continued, so the next attempt requests the
    /// content without a coding.
    pub(super) encoded_transfer_failed: bool,
}

impl JobRecord {
    /// Records the length that the file has, and keeps if the attempt fails.
    pub(super) fn reached(&mut self, bytes: u64) {
        self.furthest_bytes = self.furthest_bytes.max(bytes);
    }

    /// Whether a failed attempt may have left a part.
    pub(super) fn has_left_part(&self) -> bool {
        self.furthest_bytes > 0
    }
}
