//! One attempt at one job: the request, the response, and its content into the file.
//!
//! ```text
//! part found? ─▶ request ─▶ response ─┬─ 206, the missing range ─▶ content ─▶ appended to the part
//!                  ▲                  ├─ 416, nothing is missing ─▶ file
//!                  └───── restart ────┼─ 206 or 416, not for this part
//!                                     ├─ 200 or 203 ─▶ content ─▶ file
//!                                     └─ any other status ─▶ failure
//! ```
//!
//! `pool` decides about further attempts.

use std::time::Instant;

use super::completion::FileMetadata;
use super::context::{JobRecord, RunContext, Task};
use super::exchange::Exchanger;
use super::fetcher::Fetcher;
use super::receive::{ExpectedContent, receive};
use super::request::RequestedContent;
use super::response::Response;
use super::response_use::{Requested, ResponseUse, response_use};
use super::sink::DiscardedContent;
use super::split_fetch::{continue_split, fetch_split, is_worth_splitting, split_source};
use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::redact::{redacted_path, redacted_url};
use crate::client::results::outcome::{Retrieval, Saved};
use crate::client::settings::{Destination, ExistingFile, Hashing, PartialFile};
use crate::client::store::directory::TargetPath;
use crate::client::store::hasher::{Hasher, verify};
use crate::client::store::part::{Earlier, FoundPart, NewFile, PartWriter, find_earlier};
use crate::client::store::part_notes::Notes;
use crate::net::BodyError;

/// Makes one attempt at a job, and records where the time went.
pub(crate) fn fetch<'r>(
    exchanger: &mut Exchanger<'r>,
    run: &'r RunContext<'r>,
    task: Task<'_>,
    record: &mut JobRecord,
) -> Result<Saved, FetchError> {
    let (started_at, phases_before) = (Instant::now(), record.phases.total());
    let mut fetcher = Fetcher { exchanger, run, task, record: &mut *record };
    let saved = match run.settings.saving.destination {
        Destination::File => save(&mut fetcher),
        Destination::Discard => discard(&mut fetcher),
    };
    let network = record.phases.total().saturating_sub(phases_before);
    record.phases.write += started_at.elapsed().saturating_sub(network);
    saved
}

/// Fetches the content without saving it, for experiments: their figures should not depend on a disk. The
/// result has the path that the file would have.
fn discard(fetcher: &mut Fetcher<'_, '_>) -> Result<Saved, FetchError> {
    let UsableResponse { mut response, response_use } = request_content(fetcher, None)?;
    let ResponseUse::Whole(content) = response_use else {
        return Err(FetchError::UnexpectedRange);
    };
    let (run, Task { index, job }) = (fetcher.run, fetcher.task);
    run.observer.content_started(index, content.decoded_length(), 0);
    let mut sink = DiscardedContent { hasher: run.hasher(job), bytes: 0 };
    receive(fetcher, &mut response, content, &mut sink)?;
    let retrieval = Retrieval::Fetched { status: response.head.status(), continued_from: 0 };
    fetcher.exchanger.keep_if_persistent(response, content.framing);
    let checksums = sink.hasher.finish();
    if let Some(expected) = &job.checksum {
        verify(expected, &checksums)?;
    }
    let path = run.directory.path().join(&job.file_name);
    Ok(Saved { path, bytes: sink.bytes, retrieval, checksums })
}

/// Fetches the content into its file.
fn save(fetcher: &mut Fetcher<'_, '_>) -> Result<Saved, FetchError> {
    let (run, Task { index, job }) = (fetcher.run, fetcher.task);
    let saving = run.settings.saving;
    let target = run.directory.target_path(&job.file_name)?;
    if saving.existing == ExistingFile::Skip
        && let Some(saved) = existing_file(&target, job, saving.hashing)
    {
        return Ok(saved);
    }
    let is_split = run.splits.of(index).is_some();
    let may_have_part =
        run.directory_snapshot.may_have_part(&job.file_name) || fetcher.record.has_left_part();
    let earlier =
        if may_have_part && !is_split { find_earlier(&target, job)? } else { Earlier::Nothing };
    let has_leftovers = is_split || !matches!(earlier, Earlier::Nothing);
    let mut found = match earlier {
        Earlier::Part(found) if saving.partial == PartialFile::Continue => Some(found),
        _ => None,
    };
    if let Some(saved) = continue_split(fetcher, &mut found)? {
        return Ok(saved);
    }
    let UsableResponse { response, response_use } = request_content(fetcher, found)?;
    match response_use {
        ResponseUse::Whole(content) => {
            save_whole(fetcher, NewPart { target, has_leftovers }, response, content)
        }
        ResponseUse::Remainder { part, content, total } => PartWriter::resume(part, saving)
            .and_then(|part| {
                let incoming = Incoming { response, content, total_bytes: Some(total) };
                save_content(fetcher, part, incoming)
            }),
        ResponseUse::NothingMissing(part) => PartWriter::resume(part, saving).and_then(|part| {
            let bytes = part.bytes();
            run.observer.content_started(index, Some(bytes), bytes);
            FileMetadata::of_response(run, job, &response.head).complete(part, job, bytes)
        }),
    }
}

/// Where a new part goes.
struct NewPart {
    target: TargetPath,
    /// There may be an older part, which it replaces.
    has_leftovers: bool,
}

/// A response with content that can be saved, or which shows that the part is complete.
struct UsableResponse<'n> {
    response: Response<'n>,
    response_use: ResponseUse,
}

/// Requests the rest of the part that was found, or the whole content.
fn request_content<'r>(
    fetcher: &mut Fetcher<'_, 'r>,
    mut part: Option<FoundPart>,
) -> Result<UsableResponse<'r>, FetchError> {
    let mut whole_content = fetcher.whole_content();
    loop {
        let range_request = part.as_ref().map(|part| part.notes.remaining(part.bytes));
        let content = range_request.map_or(whole_content, RequestedContent::Range);
        let is_encoded = matches!(content, RequestedContent::Encoded);
        let response = fetcher.request(content)?;
        let requested = Requested { is_encoded, hints: fetcher.hints() };
        match response_use(&response.head, part.take(), requested) {
            Ok(Some(response_use)) => return Ok(UsableResponse { response, response_use }),
            Ok(None) => {
                let url = redacted_url(&fetcher.task.job.url);
                log::debug!("{url}: requesting the whole content, without a coding");
                fetcher.exchanger.discard(response);
                whole_content = RequestedContent::Identity;
            }
            Err(error) => return Err(fetcher.reject(response, error)),
        }
    }
}

/// A response with content for a file of `total_bytes`, if that is known.
struct Incoming<'n> {
    response: Response<'n>,
    content: ExpectedContent,
    total_bytes: Option<u64>,
}

/// Saves the whole content in a new part.
fn save_whole(
    fetcher: &mut Fetcher<'_, '_>,
    NewPart { target, has_leftovers }: NewPart,
    response: Response<'_>,
    content: ExpectedContent,
) -> Result<Saved, FetchError> {
    let (run, Task { index, job }) = (fetcher.run, fetcher.task);
    let total_bytes = content.decoded_length();
    // Decoded content cannot be continued: a range counts encoded bytes.
    let notes = Notes::on(&job.url, &response.head.fields(), total_bytes)
        .filter(|_| content.codings.is_empty());
    if let (Some(notes), Some(total_bytes)) = (&notes, total_bytes)
        && is_worth_splitting(fetcher, &response.head, total_bytes)
    {
        let source = split_source(run, index, notes.clone(), total_bytes);
        return fetch_split(fetcher, &target, source, response);
    }
    let (saving, hasher) = (run.settings.saving, run.hasher(job));
    let part = PartWriter::create(NewFile { target, notes, hasher, saving, has_leftovers });
    save_content(fetcher, part, Incoming { response, content, total_bytes })
}

/// Appends the content of a response to a part, and completes the file.
fn save_content(
    fetcher: &mut Fetcher<'_, '_>,
    mut part: PartWriter,
    incoming: Incoming<'_>,
) -> Result<Saved, FetchError> {
    let Incoming { mut response, content, total_bytes } = incoming;
    let (run, Task { index, job }) = (fetcher.run, fetcher.task);
    let continued_from = part.bytes();
    run.observer.content_started(index, total_bytes, continued_from);
    let received = receive(fetcher, &mut response, content, &mut part);
    if part.is_resumable() && part.bytes() > continued_from {
        fetcher.record.reached(part.bytes());
    }
    if !content.codings.is_empty() {
        fetcher.record.encoded_transfer_failed = received.is_err();
    }
    received?;
    if total_bytes.is_some_and(|total| part.bytes() < total) {
        let (received, declared) = (part.bytes(), total_bytes);
        return Err(FetchError::Body(BodyError::Truncated { received, declared }));
    }
    let metadata = FileMetadata::of_response(run, job, &response.head);
    fetcher.exchanger.keep_if_persistent(response, content.framing);
    metadata.complete(part, job, continued_from)
}

/// The existing file with the target's name, unless its checksum is wrong.
fn existing_file(target: &TargetPath, job: &Job, hashing: Hashing) -> Option<Saved> {
    let bytes = target.existing_bytes()?;
    let mut checksums = Box::default();
    if let Some(expected) = &job.checksum {
        let hasher = Hasher::of(Some(expected), hashing);
        let found = target.read_existing().and_then(|file| hasher.hash_file(&file));
        checksums = found.ok().filter(|found| verify(expected, found).is_ok()).or_else(|| {
            let algorithm = expected.checksum.algorithm();
            let path = redacted_path(target.path());
            log::warn!("{path} has another {algorithm}, and is fetched again");
            None
        })?;
    }
    let path = target.path().to_owned();
    Some(Saved { path, bytes, retrieval: Retrieval::Skipped, checksums })
}
