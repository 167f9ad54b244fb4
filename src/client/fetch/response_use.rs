//! What an answer is worth to a fetch: the whole content, what is missing of it, or nothing.

use super::coding::codings::{Codings, Names, to_undo};
use super::exchange::framing;
use super::request::Asked;
use crate::client::error::FetchError;
use crate::client::store::part::ResumablePart;
use crate::client::store::part_notes::AcceptedRange;
use crate::http::{Framing, ResponseHead, Status};

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
    found: Option<&ResumablePart>,
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
            Ok(match found.notes.accepted_range(&fields, found.bytes, None) {
                Some(AcceptedRange { bytes, total }) if is_as_it_is_saved(head, names) => {
                    if length_of(framing).is_some_and(|declared| declared != bytes) {
                        return Ok(Worth::Anew);
                    }
                    Worth::Rest { framing, end: found.bytes + bytes, total }
                }
                _ => Worth::Anew,
            })
        }
        (Status::PARTIAL_CONTENT, None) => Err(FetchError::UnexpectedRange),
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
