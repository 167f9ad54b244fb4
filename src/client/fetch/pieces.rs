//! Fetching a file that is split: what its leader does, and what a helper does.
//!
//! How the file is divided is the business of `split`; here the pieces are asked for and received. An
//! answer counts only as the range that was asked for, or its beginning, of the version that the part is of.

use std::sync::Arc;
use std::time::SystemTime;

use super::coding::codings::Names;
use super::exchange::{Answer, framing};
use super::fetcher::{Fetcher, Record};
use super::request::Asked;
use super::response_use::{is_as_it_is_saved, is_whole, length_of};
use super::split::split_file::{MIN_PIECE_BYTES, Role, SplitFile, Taken};
use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::redact::redacted_url;
use crate::client::results::outcome::{Retrieval, Saved};
use crate::client::settings::PartialFile;
use crate::client::store::final_name::Candidates;
use crate::client::store::part::{Completed, Completion, PartFile};
use crate::client::store::part_notes::{RangeRequest, last_modified};
use crate::client::store::part_paths::TemporaryFile;
use crate::http::{Framing, ResponseHead, Status};
use crate::net::Body;

/// What is known from the answers for when the file is whole.
struct Finish<'n> {
    status: Status,
    modified: Option<SystemTime>,
    places: Candidates<'n>,
}

/// An answer that brings so many bytes of a piece.
type Bringing<'r> = (Answer<'r>, Framing, u64);

impl<'r> Fetcher<'r> {
    /// Whether an answer's content is worth several connections.
    pub(super) fn splits(&self, index: usize, head: &ResponseHead, total: u64) -> bool {
        self.work.settings.split.get() > 1
            && total >= 2 * MIN_PIECE_BYTES
            && self.work.splits.may_split(index)
            && !head.fields().has_token("Accept-Ranges", "none")
    }

    /// Leads a split file until it is whole, with the answer that brings it from the beginning, if
    /// there is one. `None` if the server has another version, or does not honour ranges: then nothing
    /// of it is left.
    pub(super) fn lead(
        &mut self,
        job: &Job,
        split: &Arc<SplitFile>,
        first: Option<Answer<'r>>,
        record: &mut Record,
    ) -> Result<Option<Saved>, FetchError> {
        let before = split.covered_bytes();
        let helped_before = split.helped_bytes();
        let led = self.lead_to_end(job, split, first, record);
        let helped = split.helped_bytes() - helped_before;
        record.received += helped;
        let led = led.inspect_err(|_| record.keeps(split.covered_bytes()))?;
        let Some(finish) = led else {
            self.work.splits.give_up(split.index);
            split.refuse_help();
            split.end_notes();
            split.place().remove_all();
            split.release();
            return Ok(None);
        };
        self.work.splits.remove(split.index);
        split.end_notes();
        let (place, saving) = (split.place().clone(), self.work.settings.saving);
        let file = split.file().map_err(|error| place.failure(TemporaryFile::Part, error))?;
        let part = PartFile::written((place, file), split.notes().clone(), split.total, saving);
        let mut places = finish.places;
        let Completed { path, bytes, checksums } = part.complete(&mut Completion {
            modified: finish.modified,
            expected: job.checksum.as_ref(),
            next_place: &mut || places.next(),
        })?;
        let retrieval = Retrieval::Fetched { status: finish.status, continued_from: before };
        Ok(Some(Saved { path, bytes, retrieval, checksums }))
    }

    fn lead_to_end(
        &mut self,
        job: &Job,
        split: &Arc<SplitFile>,
        first: Option<Answer<'r>>,
        record: &mut Record,
    ) -> Result<Option<Finish<'r>>, FetchError> {
        let mut finish = None;
        if let Some(answer) = first {
            finish = Some(self.finish_by(job, &answer.head));
            let taken = split.take().expect("nobody else knows of it yet");
            self.work.splits.add(split);
            let whole = (answer, Framing::Length(split.total), split.total);
            record.received += self.receive_piece(split, &taken, whole, Role::Leader)?;
        }
        loop {
            if let Some(reason) = self.exchanger.network.connector.stop.reason() {
                return Err(reason.into());
            }
            if let Some(taken) = split.take() {
                let Some(bringing) = self.ask_for_piece(job, split, &taken, record)? else {
                    return Ok(None);
                };
                finish.get_or_insert_with(|| self.finish_by(job, &bringing.0.head));
                record.received += self.receive_piece(split, &taken, bringing, Role::Leader)?;
            } else if split.missing_bytes() == 0 {
                return Ok(Some(finish.unwrap_or_else(|| Finish {
                    status: Status::PARTIAL_CONTENT,
                    modified: None,
                    places: self.work.names.planned_candidates(job),
                })));
            } else {
                split.wait();
            }
        }
    }

    fn finish_by(&self, job: &Job, head: &ResponseHead) -> Finish<'r> {
        let fields = head.fields();
        Finish {
            status: head.status(),
            modified: last_modified(&fields),
            places: self.work.names.candidates(job, &fields),
        }
    }

    /// Brings pieces of another worker's file, for as long as there are some.
    pub(crate) fn help(&mut self, job: &Job, split: &SplitFile) {
        let Some(_helping) = split.help() else { return };
        let mut record = Record::default();
        while let Some(taken) = split.take() {
            let brought = match self.ask_for_piece(job, split, &taken, &mut record) {
                Ok(Some(bringing)) => {
                    self.receive_piece(split, &taken, bringing, Role::Helper).map(|_| true)
                }
                Ok(None) => {
                    split.refuse_help();
                    Ok(false)
                }
                Err(error) => Err(error),
            };
            match brought {
                Ok(true) if split.wants_any_help() => {}
                Ok(_) => break,
                Err(error) => {
                    log::debug!("{}: a piece failed: {error}", redacted_url(&job.url));
                    // A server that does not like so many has fewer.
                    split.has_one_helper_less();
                    break;
                }
            }
        }
    }

    /// Asks for a piece; `None` if something else comes than its beginning.
    fn ask_for_piece(
        &mut self,
        job: &Job,
        split: &SplitFile,
        taken: &Taken<'_>,
        record: &mut Record,
    ) -> Result<Option<Bringing<'r>>, FetchError> {
        let (first, last) = taken.range();
        let validator = &split.notes().validator;
        let answer = self.follow(
            job,
            Asked::Rest(RangeRequest { first, last: Some(last), validator }),
            record,
        )?;
        let (status, fields) = (answer.head.status(), answer.head.fields());
        // Of these each says something of the range; any other is a failure, and what is there is kept.
        let is_about_range = is_whole(status)
            || matches!(status, Status::PARTIAL_CONTENT | Status::RANGE_NOT_SATISFIABLE);
        if !is_about_range {
            let error = FetchError::Status { status, retry_after: None };
            return Err(self.refused(answer, error));
        }
        let framing = framing(&answer.head)?;
        let names = Names { job, redirected_to: record.redirected_to.as_deref() };
        let brought = split.notes().accepted_range(&fields, first, Some(last)).filter(|brought| {
            status == Status::PARTIAL_CONTENT
                && is_as_it_is_saved(&answer.head, names)
                && length_of(framing).is_none_or(|declared| declared == brought.bytes)
        });
        Ok(brought.map(|brought| {
            split.ranges_are_honoured();
            (answer, framing, brought.bytes)
        }))
    }

    /// Receives a piece into its place, and says how much came.
    fn receive_piece(
        &mut self,
        split: &SplitFile,
        taken: &Taken<'_>,
        (mut answer, framing, bytes): Bringing<'r>,
        role: Role,
    ) -> Result<u64, FetchError> {
        let (mut body, mut received) = (Body::of_response(framing), 0);
        loop {
            let Some(content) = self.exchanger.next_piece(&mut answer, &mut body)? else {
                // What is still missing of the piece has to be asked for: it was not sent, or the piece has
                // grown since, by one that nobody brought.
                if received == bytes {
                    break;
                }
                return Err(FetchError::UnexpectedRange);
            };
            if received + content.len() as u64 > bytes {
                return Err(FetchError::UnexpectedRange);
            }
            received += content.len() as u64;
            self.work.observer.received(split.index, content.len());
            if !taken.write(content, role)? {
                break;
            }
        }
        if body.is_complete() {
            self.exchanger.keep_if_persistent(answer, framing);
        }
        Ok(received)
    }

    /// The job of a split file has failed: what there is of it is kept, or not, as it is wanted.
    pub(crate) fn abandon(&self, index: usize) {
        let Some(split) = self.work.splits.remove(index) else { return };
        split.refuse_help();
        if self.work.settings.saving.partial == PartialFile::Discard {
            split.end_notes();
            split.place().remove_all();
        } else if let Err(error) = split.note_now() {
            log::warn!("cannot note what is missing: {error}");
        }
    }
}
