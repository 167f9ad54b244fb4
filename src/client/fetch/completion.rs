//! Completes a file that has all its content: checksum, modification time and name.

use std::time::SystemTime;

use super::context::RunContext;
use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::results::outcome::{Retrieval, Saved};
use crate::client::store::final_name::Candidates;
use crate::client::store::part::{Completed, Completion, PartWriter};
use crate::client::store::validator::last_modified;
use crate::http::{ResponseHead, Status};

/// The metadata of a file from a response.
pub(super) struct FileMetadata<'n> {
    status: Status,
    modified: Option<SystemTime>,
    names: Candidates<'n>,
}

impl<'n> FileMetadata<'n> {
    pub(super) fn of_response(run: &'n RunContext<'_>, job: &Job, head: &ResponseHead) -> Self {
        let fields = head.fields();
        Self {
            status: head.status(),
            modified: last_modified(&fields),
            names: run.names.candidates(job, &fields),
        }
    }

    /// The metadata of a file that an earlier run left with all its pieces.
    pub(super) fn without_response(run: &'n RunContext<'_>, job: &Job) -> Self {
        let names = run.names.planned_candidates(job);
        Self { status: Status::PARTIAL_CONTENT, modified: None, names }
    }

    /// Verifies a part and gives it its name. `continued_from` is its length before this attempt.
    pub(super) fn complete(
        mut self,
        part: PartWriter,
        job: &Job,
        continued_from: u64,
    ) -> Result<Saved, FetchError> {
        let Completed { path, bytes, checksums } = part.complete(&mut Completion {
            modified: self.modified,
            expected: job.checksum.as_ref(),
            next_candidate: &mut || self.names.next(),
        })?;
        let retrieval = Retrieval::Fetched { status: self.status, continued_from };
        Ok(Saved { path, bytes, retrieval, checksums })
    }
}
