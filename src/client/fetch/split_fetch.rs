//! Fetching a split file: its pieces are requested and received, by its leader and by helpers.
//!
//! `split` decides which piece is next. A response counts only if it has the requested range, or the
//! beginning of it, of the version that the part is of.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::coding::codings::Codings;
use super::completion::FileMetadata;
use super::context::{JobRecord, RunContext, Task};
use super::exchange::Exchanger;
use super::fetcher::Fetcher;
use super::receive::{ExpectedContent, Received, receive};
use super::request::RequestedContent;
use super::response::{Response, declared_length, framing};
use super::response_use::{is_in_file_format, is_whole};
use super::sink::ContentSink;
use super::split::split_file::{MIN_SPLIT_BYTES, PieceClaim, SplitFile, SplitRole, SplitSource};
use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::redact::redacted_url;
use crate::client::results::outcome::Saved;
use crate::client::settings::PartialFile;
use crate::client::store::directory::TargetPath;
use crate::client::store::part::{FoundPart, LockedPart, PartWriter};
use crate::client::store::part_notes::{Notes, RangeRequest};
use crate::client::store::part_paths::PartPaths;
use crate::client::transport::connect::timed;
use crate::http::{Framing, ResponseHead, Status};

/// A response with a piece, or with the first `bytes` of it.
struct PieceResponse<'n> {
    response: Response<'n>,
    framing: Framing,
    bytes: u64,
}

impl ContentSink for PieceClaim<'_> {
    fn append(&mut self, piece: &[u8], _is_last: bool) -> Result<ControlFlow<()>, FetchError> {
        let needs_more = self.write(piece)?;
        Ok(if needs_more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }
}

/// Whether a response's content is worth several connections.
pub(super) fn is_worth_splitting(
    fetcher: &Fetcher<'_, '_>,
    head: &ResponseHead,
    bytes: u64,
) -> bool {
    let run = fetcher.run;
    run.settings.split.get() > 1
        && bytes >= MIN_SPLIT_BYTES
        && run.splits.may_split(fetcher.task.index)
        && !head.fields().has_token("Accept-Ranges", "none")
}

/// Fetches a file in pieces, the first of which `first` brings from the beginning on.
pub(super) fn fetch_split(
    fetcher: &mut Fetcher<'_, '_>,
    target: &TargetPath,
    source: SplitSource,
    first: Response<'_>,
) -> Result<Saved, FetchError> {
    let paths = PartPaths::choose(target)?;
    let part = LockedPart { file: paths.create_part()?, paths: paths.clone() };
    let split = SplitFile::begin(part, source).inspect_err(|_| paths.remove_all())?;
    let split = Arc::new(split);
    fetcher.run.observer.content_started(split.index(), Some(split.total_bytes()), 0);
    // Another version appeared, and the part is removed: the next attempt restarts.
    lead(fetcher, &split, Some(first))?.ok_or(FetchError::Changed)
}

/// Continues the split file that an earlier attempt or run began, taking it from `found`. `None` if there
/// is none, or if the server has another version or no ranges: then the part is removed.
pub(super) fn continue_split(
    fetcher: &mut Fetcher<'_, '_>,
    found: &mut Option<FoundPart>,
) -> Result<Option<Saved>, FetchError> {
    let index = fetcher.task.index;
    let split = fetcher.run.splits.of(index).or_else(|| resume(fetcher.run, index, found));
    split.map_or(Ok(None), |split| lead(fetcher, &split, None))
}

fn resume(
    run: &RunContext<'_>,
    index: usize,
    found: &mut Option<FoundPart>,
) -> Option<Arc<SplitFile>> {
    let FoundPart { part, bytes: total_bytes, notes } =
        found.take_if(|found| found.notes.missing.is_some())?;
    let missing = notes.missing.clone()?;
    let source = split_source(run, index, notes, total_bytes);
    let split = Arc::new(SplitFile::resume(part, source, missing));
    run.observer.content_started(index, Some(total_bytes), split.present_bytes());
    run.splits.add(&split);
    Some(split)
}

pub(super) fn split_source(
    run: &RunContext<'_>,
    index: usize,
    notes: Notes,
    total_bytes: u64,
) -> SplitSource {
    SplitSource { index, notes, total_bytes, connections: run.settings.split.get() }
}

/// Leads a split file until it is complete. `None` if the server has another version or no ranges: then
/// the part is removed.
fn lead(
    fetcher: &mut Fetcher<'_, '_>,
    split: &Arc<SplitFile>,
    first: Option<Response<'_>>,
) -> Result<Option<Saved>, FetchError> {
    let run = fetcher.run;
    let present_before = split.present_bytes();
    let helped_before = split.helped_bytes();
    let led = receive_all(fetcher, split, first);
    fetcher.record.received += split.helped_bytes() - helped_before;
    let Some(metadata) = led.inspect_err(|_| fetcher.record.reached(split.present_bytes()))? else {
        run.splits.give_up(split.index());
        split.refuse_help();
        split.remove();
        return Ok(None);
    };
    run.splits.remove(split.index());
    split.close();
    let (notes, bytes) = (split.notes().clone(), split.total_bytes());
    let part = PartWriter::from_split(split.locked_part(), notes, bytes, run.settings.saving);
    metadata.complete(part, fetcher.task.job, present_before).map(Some)
}

/// Receives pieces until none is missing. `None` if the server has another version or no ranges.
fn receive_all<'r>(
    fetcher: &mut Fetcher<'_, 'r>,
    split: &Arc<SplitFile>,
    first: Option<Response<'_>>,
) -> Result<Option<FileMetadata<'r>>, FetchError> {
    let mut metadata = None;
    if let Some(response) = first {
        metadata = Some(FileMetadata::of_response(fetcher.run, fetcher.task.job, &response.head));
        let claim = split.claim(SplitRole::Leader).expect("no other worker knows the file yet");
        fetcher.run.splits.add(split);
        let bytes = split.total_bytes();
        let framing = Framing::Length(bytes);
        receive_piece(fetcher, claim, PieceResponse { response, framing, bytes })?;
    }
    loop {
        if let Some(reason) = fetcher.exchanger.network.connector.stop.reason() {
            return Err(reason.into());
        }
        if let Some(claim) = split.claim(SplitRole::Leader) {
            let Some(found) = fetch_piece(fetcher, split, claim)? else { return Ok(None) };
            metadata.get_or_insert(found);
        } else if split.missing_bytes() == 0 {
            let (run, job) = (fetcher.run, fetcher.task.job);
            let metadata = metadata.unwrap_or_else(|| FileMetadata::without_response(run, job));
            return Ok(Some(metadata));
        } else {
            // Helpers receive the last pieces.
            timed(&mut fetcher.record.phases.transfer, || split.wait());
        }
    }
}

/// Helps with another worker's file while there are pieces for it.
pub(crate) fn help<'r>(
    exchanger: &mut Exchanger<'r>,
    run: &'r RunContext<'r>,
    job: &Job,
    split: &SplitFile,
) {
    let Some(_slot) = split.help() else { return };
    let task = Task { index: split.index(), job };
    let mut fetcher = Fetcher { exchanger, run, task, record: &mut JobRecord::default() };
    while let Some(claim) = split.claim(SplitRole::Helper) {
        match fetch_piece(&mut fetcher, split, claim) {
            Ok(Some(_)) if split.allows_help() => {}
            Ok(Some(_)) => break,
            Ok(None) => {
                split.refuse_help();
                break;
            }
            Err(error) => {
                log::debug!("{}: a piece failed: {error}", redacted_url(&job.url));
                // The server may not accept so many connections.
                split.reduce_helpers();
                break;
            }
        }
    }
}

/// Requests and receives a piece; `None` if the response is not the beginning of it.
fn fetch_piece<'r>(
    fetcher: &mut Fetcher<'_, 'r>,
    split: &SplitFile,
    claim: PieceClaim<'_>,
) -> Result<Option<FileMetadata<'r>>, FetchError> {
    let (first, last) = claim.range();
    let Some(piece) = request_piece(fetcher, split, first, last)? else { return Ok(None) };
    let metadata = FileMetadata::of_response(fetcher.run, fetcher.task.job, &piece.response.head);
    receive_piece(fetcher, claim, piece)?;
    Ok(Some(metadata))
}

fn request_piece<'r>(
    fetcher: &mut Fetcher<'_, 'r>,
    split: &SplitFile,
    first: u64,
    last: u64,
) -> Result<Option<PieceResponse<'r>>, FetchError> {
    let range = RangeRequest { first, last: Some(last), validator: &split.notes().validator };
    let response = fetcher.request(RequestedContent::Range(range))?;
    let (status, fields) = (response.head.status(), response.head.fields());
    // Any other status says nothing about the range: it is a failure, and the part is kept.
    let is_about_range = is_whole(status)
        || matches!(status, Status::PARTIAL_CONTENT | Status::RANGE_NOT_SATISFIABLE);
    if !is_about_range {
        return Err(fetcher.reject(response, FetchError::Status { status, retry_after: None }));
    }
    let framing = framing(&response.head)?;
    let accepted = split.notes().accepted_range(&fields, first, Some(last)).filter(|accepted| {
        status == Status::PARTIAL_CONTENT
            && is_in_file_format(&response.head, fetcher.hints())
            && declared_length(framing).is_none_or(|declared| declared == accepted.bytes)
    });
    let Some(accepted) = accepted else { return Ok(None) };
    split.set_ranges_honoured();
    Ok(Some(PieceResponse { response, framing, bytes: accepted.bytes }))
}

/// Receives a piece into its place, or less of it if the response has less.
fn receive_piece(
    fetcher: &mut Fetcher<'_, '_>,
    mut claim: PieceClaim<'_>,
    piece: PieceResponse<'_>,
) -> Result<(), FetchError> {
    let PieceResponse { mut response, framing, bytes } = piece;
    let codings = Codings::default();
    let content = ExpectedContent { framing, codings, max_bytes: Some(bytes) };
    let received_before = fetcher.record.received;
    if receive(fetcher, &mut response, content, &mut claim)? == Received::Interrupted {
        return Ok(());
    }
    if fetcher.record.received - received_before != bytes {
        return Err(FetchError::UnexpectedRange);
    }
    fetcher.exchanger.keep_if_persistent(response, framing);
    Ok(())
}

/// Gives up the split file of a failed job: its part is kept or removed, as the settings say.
pub(crate) fn abandon(run: &RunContext<'_>, index: usize) {
    let Some(split) = run.splits.remove(index) else { return };
    split.refuse_help();
    if run.settings.saving.partial == PartialFile::Discard {
        split.remove();
    } else if let Err(error) = split.note_missing() {
        log::warn!("cannot note the missing pieces: {error}");
    }
}
