//! Answers a request with a file: whole or in ranges, or with 304 if the client has it already
//! (RFC 9110 §13, §14).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use super::response::{Response, ResponseContent};
use crate::http::conditional::{self, Evaluation};
use crate::http::range::{self, Selection};
use crate::http::{Byteranges, ContentRange, RequestHead, Status};
use crate::server::site::file::{FileContent, StaticFile};

/// Why a file is not sent.
#[derive(Debug)]
pub(super) enum FileRefusal {
    /// 412: the client asks for another state of the file.
    PreconditionFailed,
    /// 416: the file has none of the requested ranges.
    RangeNotSatisfiable { complete_length: u64 },
}

/// Answers 200, 206 or 304 with `file`, by the preconditions and ranges of the request.
pub(super) fn file_response(file: StaticFile, head: &RequestHead) -> Result<Response, FileRefusal> {
    let StaticFile { content, description, .. } = file;
    let (validators, length) = (description.validators(), description.length());
    let (fields, method) = (head.fields(), head.method());
    match conditional::evaluate(&fields, &validators, method) {
        Evaluation::Proceed => {}
        Evaluation::NotModified => {
            let response = Response::new(Status::NOT_MODIFIED, ResponseContent::None);
            return Ok(response.lines(&description.validator_lines));
        }
        Evaluation::PreconditionFailed => return Err(FileRefusal::PreconditionFailed),
    }
    let content_type = &*description.content_type;
    let response = match range::select(&fields, &validators, method, length) {
        Selection::Whole => {
            let content = ResponseContent::File { file: content, offset: 0, length };
            Response::new(Status::OK, content).field("Content-Type", content_type)
        }
        Selection::Single(range) => {
            let content_range = ContentRange::Satisfied { range, complete_length: Some(length) };
            let (offset, length) = (range.first, range.length());
            let content = ResponseContent::File { file: content, offset, length };
            Response::new(Status::PARTIAL_CONTENT, content)
                .field("Content-Type", content_type)
                .field("Content-Range", content_range.to_string())
        }
        Selection::Multiple(ranges) => {
            let boundary = boundary();
            let parts = Byteranges {
                boundary: &boundary,
                content_type,
                complete_length: length,
                ranges: &ranges,
            };
            let (media_type, content) = (parts.multipart_type(), multipart(content, &parts));
            Response::new(Status::PARTIAL_CONTENT, content).field("Content-Type", media_type)
        }
        Selection::Unsatisfiable => {
            return Err(FileRefusal::RangeNotSatisfiable { complete_length: length });
        }
    };
    Ok(response
        .lines(&description.validator_lines)
        .field("Accept-Ranges", "bytes")
        .field("X-Content-Type-Options", "nosniff")
        .optional_field("Content-Encoding", description.content_encoding()))
}

fn multipart(file: FileContent, parts: &Byteranges<'_>) -> ResponseContent {
    ResponseContent::Parts {
        file,
        parts: parts.parts().collect(),
        closing: parts.closing(),
        length: parts.content_length(),
    }
}

/// A random boundary, so that no file can contain it on purpose.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
