//! One attempt at one URL: the request, the answer, the body into its file. Redirects are `chain`.
//!
//! ```text
//! part there? ─▶ request ─▶ head ─┬─ redirect ─▶ request (at most 20 times)
//!                  ▲              ├─ 206, of the rest that was asked for ─▶ body ─▶ behind the part
//!                  │              ├─ 416, and nothing is missing ─▶ file
//!                  └──── anew ────┼─ 206 or 416, but not for this part
//!                                 ├─ 200 or 203 ─▶ body ─▶ file
//!                                 └─ anything else ─▶ failure
//! ```
//!
//! What a failure means for further attempts is not decided here, nor whose turn it is.

use std::sync::Arc;
use std::time::Instant;

use super::coding::codings::{Codings, Names};
use super::decoded::Decoded;
use super::exchange::Answer;
use super::fetcher::{Fetcher, Record};
use super::request::Asked;
use super::response_use::{Worth, length_of, worth};
use super::split::split_file::SplitFile;
use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::redact::{redacted_path, redacted_url};
use crate::client::results::outcome::{Retrieval, Saved};
use crate::client::settings::{Destination, ExistingFile, Hashing, PartialFile};
use crate::client::store::directory::TargetPath;
use crate::client::store::hasher::{Hasher, verify};
use crate::client::store::part;
use crate::client::store::part::{Completed, Completion, PartFile, ResumablePart};
use crate::client::store::part_notes::{Notes, last_modified};
use crate::client::store::part_paths::PartPaths;
use crate::http::Framing;
use crate::net::{Body, BodyError};

impl<'r> Fetcher<'r> {
    /// Fetches the job into its file, and notes in `record` where the time went.
    pub(crate) fn fetch(
        &mut self,
        index: usize,
        job: &Job,
        record: &mut Record,
    ) -> Result<Saved, FetchError> {
        let saving = self.work.settings.saving;
        if saving.destination == Destination::Discard {
            return self.fetch_and_discard(index, job, record);
        }
        let place = self.work.directory.target_path(&job.file_name)?;
        if saving.existing == ExistingFile::Skip
            && let Some(saved) = existing(&place, job, saving.hashing)
        {
            return Ok(saved);
        }
        let place = PartPaths::choose(&place)?;
        let is_split = self.work.splits.of(index).is_some();
        let mut found = if is_split { None } else { part::find_resumable(&place, job) }
            .filter(|_| saving.partial == PartialFile::Continue);
        if let Some(split) = self.split_from_before(index, &place, &mut found)
            && let Some(saved) = self.lead(job, &split, None, record)?
        {
            return Ok(saved);
        }
        let mut whole = self.asked_of(job, record);
        loop {
            let asked = found
                .as_ref()
                .map_or(whole, |found| Asked::Rest(found.notes.remaining(found.bytes)));
            let answer = self.follow(job, asked, record)?;
            let names = Names { job, redirected_to: record.redirected_to.as_deref() };
            match worth(&answer.head, found.as_ref(), (names, asked)) {
                Ok(Worth::Anew) => {
                    let url = redacted_url(&job.url);
                    log::debug!("{url}: fetched anew, whole and without a coding");
                    self.exchanger.discard(answer);
                    (found, whole) = (None, Asked::Plain);
                }
                Ok(worth) => {
                    let begun = Instant::now();
                    let saved =
                        self.receive((index, job), place, found.take(), answer, &worth, record);
                    record.phases.transfer += begun.elapsed();
                    return saved;
                }
                Err(error) => return Err(self.refused(answer, error)),
            }
        }
    }

    /// The split file that an earlier attempt or run has begun.
    fn split_from_before(
        &mut self,
        index: usize,
        place: &PartPaths,
        found: &mut Option<ResumablePart>,
    ) -> Option<Arc<SplitFile>> {
        if let Some(split) = self.work.splits.of(index) {
            return Some(split);
        }
        let ResumablePart { file, bytes, notes } =
            found.take_if(|found| found.notes.missing.is_some())?;
        let missing = notes.missing.clone()?;
        let connections = self.work.settings.split.get();
        let split =
            SplitFile::over(index, (place.clone(), file), (notes, bytes), connections, missing);
        self.work.observer.content_started(index, Some(bytes), split.covered_bytes());
        let split = Arc::new(split);
        self.work.splits.add(&split);
        Some(split)
    }

    /// Receives the body of an answer that is worth it, and completes the file.
    fn receive(
        &mut self,
        (index, job): (usize, &Job),
        place: PartPaths,
        found: Option<ResumablePart>,
        mut answer: Answer<'r>,
        worth: &Worth,
        record: &mut Record,
    ) -> Result<Saved, FetchError> {
        let settings = self.work.settings;
        let mut codings = Codings::default();
        let (framing, end, total) = match *worth {
            Worth::Whole { framing, codings: undone } => {
                codings = undone;
                // How long the content is before it is coded, nobody says.
                let length = length_of(framing).filter(|_| codings.is_empty());
                (framing, length, length)
            }
            Worth::Rest { framing, end, total } => (framing, Some(end), Some(total)),
            Worth::NothingMissing | Worth::Anew => {
                let length = found.as_ref().map(|found| found.bytes);
                (Framing::Length(0), length, length)
            }
        };
        let continued_from = found.as_ref().map_or(0, |found| found.bytes);
        let mut part = match found {
            Some(found) if !matches!(worth, Worth::Whole { .. }) => {
                PartFile::continued(place, found, settings.saving)?
            }
            found => {
                // What there was is begun anew.
                drop(found);
                // What was decoded cannot be continued: a range would be one of the coded bytes.
                let notes = Notes::on(&job.url, &answer.head.fields(), total)
                    .filter(|_| codings.is_empty());
                if let (Some(notes), Some(total)) = (notes.clone(), total)
                    && self.splits(index, &answer.head, total)
                {
                    return self.receive_split(
                        (index, job),
                        &place,
                        (notes, total),
                        answer,
                        record,
                    );
                }
                PartFile::create(place, notes, settings.saving, self.hasher(job))?
            }
        };
        let continued_from = if matches!(worth, Worth::Whole { .. }) { 0 } else { continued_from };
        self.work.observer.content_started(index, total, continued_from);
        if codings.is_empty() {
            let mut body = Body::of_response(framing);
            while let Some(piece) = self.exchanger.next_piece(&mut answer, &mut body)? {
                let length = piece.len();
                if end.is_some_and(|end| part.bytes() + length as u64 > end) {
                    return Err(FetchError::UnexpectedRange);
                }
                part.write(piece, body.is_complete())?;
                record.received += length as u64;
                if part.can_be_continued() {
                    record.keeps(part.bytes());
                }
                self.work.observer.received(index, length);
            }
        } else {
            let write = |piece: &[u8]| part.write(piece, false);
            let observer = self.work.observer;
            let mut sink = Decoded { index, record, observer, write };
            let received = self.exchanger.receive_coded(&mut answer, (framing, codings), &mut sink);
            record.has_lost_coded = received.is_err();
            received?;
        }
        if total.is_some_and(|total| part.bytes() < total) {
            let truncated = BodyError::Truncated { received: part.bytes(), declared: total };
            return Err(FetchError::Body(truncated));
        }
        let modified = last_modified(&answer.head.fields());
        let status = answer.head.status();
        let mut places = self.work.names.candidates(job, &answer.head.fields());
        if *worth != Worth::NothingMissing {
            self.exchanger.keep_if_persistent(answer, framing);
        }
        let completed = part.complete(&mut Completion {
            modified,
            expected: job.checksum.as_ref(),
            next_place: &mut || places.next(),
        })?;
        let Completed { path, bytes, checksums } = completed;
        let retrieval = Retrieval::Fetched { status, continued_from };
        Ok(Saved { path, bytes, retrieval, checksums })
    }

    /// Receives an answer from the beginning while others bring the rest.
    fn receive_split(
        &mut self,
        (index, job): (usize, &Job),
        place: &PartPaths,
        whole: (Notes, u64),
        answer: Answer<'r>,
        record: &mut Record,
    ) -> Result<Saved, FetchError> {
        let total = whole.1;
        let file = place.begin()?;
        let connections = self.work.settings.split.get();
        let split = SplitFile::begin(index, (place.clone(), file), whole, connections)
            .inspect_err(|_| place.remove_all())?;
        let split = Arc::new(split);
        self.work.observer.content_started(index, Some(total), 0);
        let led = self.lead(job, &split, Some(answer), record)?;
        // Another version came in the middle, and nothing is left: the next attempt begins anew.
        led.ok_or(FetchError::Changed)
    }
}

/// The file that is there, unless it has another checksum than it must have.
fn existing(place: &TargetPath, job: &Job, hashing: Hashing) -> Option<Saved> {
    let bytes = place.existing_bytes()?;
    let mut checksums = Box::default();
    if let Some(expected) = &job.checksum {
        let hasher = Hasher::of(Some(expected), hashing);
        let found = place.read_existing().and_then(|mut file| hasher.hash_file(&mut file));
        checksums = found.ok().filter(|found| verify(expected, found).is_ok()).or_else(|| {
            let algorithm = expected.checksum.algorithm();
            let path = redacted_path(place.path());
            log::warn!("{path} has another {algorithm}, and is fetched anew");
            None
        })?;
    }
    Some(Saved { path: place.path().to_owned(), bytes, retrieval: Retrieval::Skipped, checksums })
}
