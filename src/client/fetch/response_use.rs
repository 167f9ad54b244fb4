//! The use of a response: its content is saved whole, continues a part, or shows that the part is complete.

use super::coding::codings::{Codings, ContentCodings, FormatHints};
use super::receive::ExpectedContent;
use super::response::{declared_length, framing};
use crate::client::error::FetchError;
use crate::client::store::part::FoundPart;
use crate::client::store::part_notes::AcceptedRange;
use crate::http::{ResponseHead, Status};

/// The use of a response.
#[derive(Debug)]
pub(super) enum ResponseUse {
    /// Its content is the whole representation.
    Whole(ExpectedContent),
    /// Its content continues the part of a file with `total` bytes, which may still not be complete then.
    Remainder { part: FoundPart, content: ExpectedContent, total: u64 },
    /// The part is complete.
    NothingMissing(FoundPart),
}

/// The request that a response belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requested<'r> {
    /// It accepted content codings.
    pub(super) is_encoded: bool,
    pub(super) hints: FormatHints<'r>,
}

/// Whether the content of a response with this status is the whole representation. Other successful
/// responses, such as 202 and 204, have other content or none (RFC 9110 §15.3).
pub(super) fn is_whole(status: Status) -> bool {
    matches!(status, Status::OK | Status::NON_AUTHORITATIVE_INFORMATION)
}

/// Decides about a response that is no redirect, to the request for the rest of `part` if there is one.
///
/// `None` if the part cannot be continued, or if it is unclear which coding belongs to the file: then the
/// whole content is to be requested without a coding.
pub(super) fn response_use(
    head: &ResponseHead,
    part: Option<FoundPart>,
    requested: Requested<'_>,
) -> Result<Option<ResponseUse>, FetchError> {
    let (status, fields) = (head.status(), head.fields());
    match (status, part) {
        (Status::RANGE_NOT_SATISFIABLE, Some(part)) => {
            let is_complete = part.notes.are_complete(&fields, part.bytes);
            Ok(is_complete.then_some(ResponseUse::NothingMissing(part)))
        }
        (Status::PARTIAL_CONTENT, Some(part)) => {
            let framing = framing(head)?;
            Ok(match part.notes.accepted_range(&fields, part.bytes, None) {
                Some(AcceptedRange { bytes, total })
                    if is_in_file_format(head, requested.hints)
                        && declared_length(framing).is_none_or(|declared| declared == bytes) =>
                {
                    let codings = Codings::default();
                    let content = ExpectedContent { framing, codings, max_bytes: Some(bytes) };
                    Some(ResponseUse::Remainder { part, content, total })
                }
                _ => None,
            })
        }
        (Status::PARTIAL_CONTENT, None) => Err(FetchError::UnexpectedRange),
        _ if !is_whole(status) => Err(FetchError::Status { status, retry_after: None }),
        _ => {
            let ContentCodings { to_decode: codings, has_file_format } =
                ContentCodings::of(&fields, requested.hints)?;
            // As it was asked to, the server may have encoded a compressed file once more.
            if has_file_format && requested.is_encoded {
                return Ok(None);
            }
            let framing = framing(head)?;
            let content = ExpectedContent { framing, codings, max_bytes: None };
            Ok(Some(ResponseUse::Whole(content)))
        }
    }
}

/// Whether the content needs no decoding: its only coding, if any, is the file's own format.
pub(super) fn is_in_file_format(head: &ResponseHead, hints: FormatHints<'_>) -> bool {
    ContentCodings::of(&head.fields(), hints).is_ok_and(|codings| codings.to_decode.is_empty())
}
