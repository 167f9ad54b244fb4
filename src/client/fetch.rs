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
use std::time::{Instant, SystemTime};

use url::Url;

use super::chain::{Chain, MAX_REDIRECTS};
use super::checksum::Hasher;
use super::coded::Sink;
use super::coding::{Codings, Names, to_undo};
use super::directory::{OutputDirectory, Place};
use super::exchange::{Answer, Exchanger, asked_wait, framing};
use super::naming::FinalNames;
use super::part::{self, Completed, Completion, Found, PartFile};
use super::part_notes::{Brought, Notes, last_modified};
use super::part_place::PartPlace;
use super::request::Asked;
use super::settings::{Compression, Content, Digest, Partial, Settings};
use super::split::SplitFile;
use super::split_files::SplitFiles;
use super::{Arrival, Existing, FetchError, Job, Observer, Phases, Saved, shown_path, shown_url};
use crate::http::{Framing, ResponseHead, Status};
use crate::net::{Body, BodyError};

/// What all fetches of a run have in common beside the network.
pub(super) struct Work<'r> {
    pub(super) settings: &'r Settings,
    pub(super) directory: &'r OutputDirectory,
    pub(super) names: FinalNames<'r>,
    pub(super) splits: SplitFiles,
    pub(super) observer: &'r dyn Observer,
}

/// Fetches one URL after another.
pub(super) struct Fetcher<'r> {
    pub(super) exchanger: Exchanger<'r>,
    pub(super) work: &'r Work<'r>,
}

/// What is noted of the attempts at one job.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) phases: Phases,
    pub(super) redirected_to: Option<Box<Url>>,
    /// Content that came over the network.
    pub(super) received: u64,
    /// The most of the file that was there at any time, of what these attempts brought or continued, and
    /// kept. A part that an earlier run left and none of them could continue is not in their way.
    pub(super) furthest_bytes: u64,
    /// Coded content did not come whole. It cannot be continued, but content that is asked for plain can.
    pub(super) has_lost_coded: bool,
}

impl Record {
    /// So much of the file is there, and kept if the attempt fails.
    pub(super) fn keeps(&mut self, bytes: u64) {
        self.furthest_bytes = self.furthest_bytes.max(bytes);
    }
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    Whole {
        framing: Framing,
        codings: Codings,
    },
    /// What is missing, or the beginning of that: with it the part ends here, of so much in all.
    Rest {
        framing: Framing,
        end: u64,
        total: u64,
    },
    NothingMissing,
    /// What is there cannot be continued, or it is not clear what a coding belongs to: the whole must come
    /// without one.
    Anew,
}

impl<'r> Fetcher<'r> {
    /// Fetches the job into its file, and notes in `record` where the time went.
    pub(super) fn fetch(
        &mut self,
        index: usize,
        job: &Job,
        record: &mut Record,
    ) -> Result<Saved, FetchError> {
        let saving = self.work.settings.saving;
        if saving.content == Content::Discarded {
            return self.fetch_and_discard(index, job, record);
        }
        let place = self.work.directory.place(&job.file_name)?;
        if saving.existing == Existing::Skip
            && let Some(saved) = existing(&place, job, saving.digest)
        {
            return Ok(saved);
        }
        let place = place.part()?;
        let is_split = self.work.splits.of(index).is_some();
        let mut found = if is_split { None } else { part::find(&place, job) }
            .filter(|_| saving.partial == Partial::Continue);
        if let Some(split) = self.split_from_before(index, &place, &mut found)
            && let Some(saved) = self.lead(job, &split, None, record)?
        {
            return Ok(saved);
        }
        let mut whole = self.asked_of(job, record);
        loop {
            let asked =
                found.as_ref().map_or(whole, |found| Asked::Rest(found.notes.rest(found.bytes)));
            let answer = self.follow(job, asked, record)?;
            let names = Names { job, redirected_to: record.redirected_to.as_deref() };
            match worth(&answer.head, found.as_ref(), (names, asked)) {
                Ok(Worth::Anew) => {
                    let url = shown_url(&job.url);
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

    /// How the whole of a job's content is asked for. A file that is coded by its format would gain
    /// nothing, and it would not be clear which coding is its own.
    pub(super) fn asked_of(&self, job: &Job, record: &Record) -> Asked<'static> {
        let names = Names { job, redirected_to: None };
        let asks = self.work.settings.compression == Compression::Asked && !record.has_lost_coded;
        if asks && !names.are_of_coded_file() { Asked::Coded } else { Asked::Plain }
    }

    /// Reads past an answer that is of no use; the error then has all that the answer says.
    pub(super) fn refused(&mut self, answer: Answer<'_>, error: FetchError) -> FetchError {
        let retry_after = asked_wait(&answer.head);
        self.exchanger.discard(answer);
        let max_wait = self.work.settings.retry.max_wait;
        match (error, retry_after) {
            (FetchError::Status { status, .. }, Some(wait)) if wait > max_wait => {
                FetchError::RetryLater { status, at: SystemTime::now() + wait, was_asked: true }
            }
            (FetchError::Status { status, .. }, retry_after) => {
                FetchError::Status { status, retry_after }
            }
            (error, _) => error,
        }
    }

    /// The split file that an earlier attempt or run has begun.
    fn split_from_before(
        &mut self,
        index: usize,
        place: &PartPlace,
        found: &mut Option<Found>,
    ) -> Option<Arc<SplitFile>> {
        if let Some(split) = self.work.splits.of(index) {
            return Some(split);
        }
        let Found { file, bytes, notes } = found.take_if(|found| found.notes.missing.is_some())?;
        let missing = notes.missing.clone()?;
        let connections = self.work.settings.split.get();
        let split =
            SplitFile::over(index, (place.clone(), file), (notes, bytes), connections, missing);
        self.work.observer.began(index, Some(bytes), split.covered_bytes());
        let split = Arc::new(split);
        self.work.splits.add(&split);
        Some(split)
    }

    /// Sends the request, and follows redirects to the answer that is none.
    pub(super) fn follow(
        &mut self,
        job: &Job,
        asked: Asked<'_>,
        record: &mut Record,
    ) -> Result<Answer<'r>, FetchError> {
        let downgrade = self.work.settings.downgrade;
        let mut chain = Chain::new(job);
        record.redirected_to = None;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.exchanger.ask(&chain.request(asked), &mut record.phases)?;
            let target = match chain.follow(&answer.head, downgrade, SystemTime::now()) {
                Ok(None) => return Ok(answer),
                Ok(Some(target)) => Ok(Box::new(target.clone())),
                Err(error) => Err(error),
            };
            self.exchanger.discard(answer);
            record.redirected_to = Some(target?);
        }
        Err(FetchError::Redirects)
    }

    /// Receives the body of an answer that is worth it, and completes the file.
    fn receive(
        &mut self,
        (index, job): (usize, &Job),
        place: PartPlace,
        found: Option<Found>,
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
        self.work.observer.began(index, total, continued_from);
        if codings.is_empty() {
            let mut body = Body::of_response(framing);
            while let Some(piece) = self.exchanger.next_piece(&mut answer, &mut body)? {
                let length = piece.len();
                if end.is_some_and(|end| part.bytes() + length as u64 > end) {
                    return Err(FetchError::Partial);
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
        let mut places = self.work.names.places(job, &answer.head.fields());
        if *worth != Worth::NothingMissing {
            self.exchanger.keep_if_persistent(answer, framing);
        }
        let completed = part.complete(&mut Completion {
            modified,
            expected: job.checksum.as_ref(),
            next_place: &mut || places.next(),
        })?;
        let Completed { path, bytes, checksums } = completed;
        let arrival = Arrival::Fetched { status, continued_from };
        Ok(Saved { path, bytes, arrival, checksums })
    }

    /// Receives an answer from the beginning while others bring the rest.
    fn receive_split(
        &mut self,
        (index, job): (usize, &Job),
        place: &PartPlace,
        whole: (Notes, u64),
        answer: Answer<'r>,
        record: &mut Record,
    ) -> Result<Saved, FetchError> {
        let total = whole.1;
        let file = place.begin()?;
        let connections = self.work.settings.split.get();
        let split = SplitFile::begin(index, (place.clone(), file), whole, connections)
            .inspect_err(|_| place.forget())?;
        let split = Arc::new(split);
        self.work.observer.began(index, Some(total), 0);
        let led = self.lead(job, &split, Some(answer), record)?;
        // Another version came in the middle, and nothing is left: the next attempt begins anew.
        led.ok_or(FetchError::Changed)
    }
}

/// Where decoded content goes, whether it is saved or not.
pub(super) struct Decoded<'r, W> {
    pub(super) index: usize,
    pub(super) record: &'r mut Record,
    pub(super) observer: &'r dyn Observer,
    pub(super) write: W,
}

impl<W: FnMut(&[u8]) -> Result<(), FetchError>> Sink for Decoded<'_, W> {
    fn received(&mut self, bytes: usize) {
        self.record.received += bytes as u64;
        self.observer.received(self.index, bytes);
    }

    fn decoded(&mut self, piece: &[u8]) -> Result<(), FetchError> {
        (self.write)(piece)
    }
}

/// The file that is there, unless it has another checksum than it must have.
fn existing(place: &Place, job: &Job, digest: Digest) -> Option<Saved> {
    let bytes = place.existing_bytes()?;
    let mut checksums = Box::default();
    if let Some(expected) = &job.checksum {
        let hasher = Hasher::of(Some(expected), digest);
        let found = place.read_existing().and_then(|mut file| hasher.hash_file(&mut file));
        checksums = found.ok().filter(|found| expected.verify(found).is_ok()).or_else(|| {
            let algorithm = expected.checksum.algorithm();
            let path = shown_path(place.path());
            log::warn!("{path} has another {algorithm}, and is fetched anew");
            None
        })?;
    }
    Some(Saved { path: place.path().to_owned(), bytes, arrival: Arrival::Skipped, checksums })
}

pub(super) fn length_of(framing: Framing) -> Option<u64> {
    match framing {
        Framing::Length(bytes) => Some(bytes),
        Framing::Chunked | Framing::UntilClose => None,
    }
}

/// The content of an answer with this status is the whole representation. Every other success, such as
/// 202 or 204, brings something else or nothing (RFC 9110 §15.3).
pub(super) fn is_whole(status: Status) -> bool {
    matches!(status, Status::OK | Status::NON_AUTHORITATIVE_INFORMATION)
}

/// What an answer that is no redirect is worth, to this question, beside the part that is there.
pub(super) fn worth(
    head: &ResponseHead,
    found: Option<&Found>,
    (names, asked): (Names<'_>, Asked<'_>),
) -> Result<Worth, FetchError> {
    let (status, fields) = (head.status(), head.fields());
    match (status, found) {
        (Status::RANGE_NOT_SATISFIABLE, Some(found)) => {
            let is_complete = found.notes.are_complete(&fields, found.bytes);
            Ok(if is_complete { Worth::NothingMissing } else { Worth::Anew })
        }
        (Status::PARTIAL_CONTENT, Some(found)) => {
            let framing = framing(head)?;
            Ok(match found.notes.brought(&fields, found.bytes, None) {
                Some(Brought { bytes, total }) if is_as_it_is_saved(head, names) => {
                    if length_of(framing).is_some_and(|declared| declared != bytes) {
                        return Ok(Worth::Anew);
                    }
                    Worth::Rest { framing, end: found.bytes + bytes, total }
                }
                _ => Worth::Anew,
            })
        }
        (Status::PARTIAL_CONTENT, None) => Err(FetchError::Partial),
        _ if !is_whole(status) => Err(FetchError::Status { status, retry_after: None }),
        _ => {
            let (codings, has_own) = to_undo(&fields, names)?;
            // The server may have coded once more what is coded by its format, as it was asked to.
            if has_own && matches!(asked, Asked::Coded) {
                return Ok(Worth::Anew);
            }
            Ok(Worth::Whole { framing: framing(head)?, codings })
        }
    }
}

/// Whether an answer brings the bytes that are saved: any coding is the file's own format.
pub(super) fn is_as_it_is_saved(head: &ResponseHead, names: Names<'_>) -> bool {
    to_undo(&head.fields(), names).is_ok_and(|(codings, _)| codings.is_empty())
}
