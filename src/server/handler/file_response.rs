//! Answers a request with a file: whole or in ranges, or with 304 if the client has it already
//! (RFC 9110 §13, §14).

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::SystemTime;

use super::response::{Response, ResponseContent};
use crate::http::conditional::{self, Evaluation, Validators};
use crate::http::range::{self, Selection};
use crate::http::{
    Byteranges, Coding, ContentRange, FileTag, FileVersion, RequestHead, Status, date,
};
use crate::server::site::file::StaticFile;

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
    let StaticFile { file, length, modified, changed, inode, content_type, coding, .. } = file;
    let version = FileVersion { inode, size: length, modified, changed };
    let tag = FileTag::new(version, coding);
    // `Last-Modified` must not be in the future (RFC 9110 §8.8.2.1).
    let modified = modified.min(SystemTime::now());
    let validators = Validators { etag: Some(tag.tag()), last_modified: Some(modified) };
    let describe = |response: Response| {
        let response = match date::format(modified) {
            Some(date) => response.field("Last-Modified", date.to_string()),
            None => response,
        };
        let etag = String::from_utf8_lossy(tag.text()).into_owned();
        response.field("ETag", etag)
    };
    let (fields, method) = (head.fields(), head.method());
    match conditional::evaluate(&fields, &validators, method) {
        Evaluation::Proceed => {}
        Evaluation::NotModified => {
            let response = Response::new(Status::NOT_MODIFIED, ResponseContent::None);
            return Ok(describe(response));
        }
        Evaluation::PreconditionFailed => return Err(FileRefusal::PreconditionFailed),
    }
    let response = match range::select(&fields, &validators, method, length) {
        Selection::Whole => {
            Response::new(Status::OK, ResponseContent::File { file, offset: 0, length })
                .field("Content-Type", content_type)
        }
        Selection::Single(range) => {
            let content_range = ContentRange::Satisfied { range, complete_length: Some(length) };
            let content =
                ResponseContent::File { file, offset: range.first, length: range.length() };
            Response::new(Status::PARTIAL_CONTENT, content)
                .field("Content-Type", content_type)
                .field("Content-Range", content_range.to_string())
        }
        Selection::Multiple(ranges) => {
            let boundary = boundary();
            let parts = Byteranges {
                boundary: &boundary,
                content_type: &content_type,
                complete_length: length,
                ranges: &ranges,
            };
            let (media_type, content) = (parts.multipart_type(), multipart(file, &parts));
            Response::new(Status::PARTIAL_CONTENT, content).field("Content-Type", media_type)
        }
        Selection::Unsatisfiable => {
            return Err(FileRefusal::RangeNotSatisfiable { complete_length: length });
        }
    };
    let response = describe(response)
        .field("Accept-Ranges", "bytes")
        .field("X-Content-Type-Options", "nosniff");
    Ok(match coding {
        Coding::Identity => response,
        coding => response.field("Content-Encoding", coding.token()),
    })
}

fn multipart(file: File, parts: &Byteranges<'_>) -> ResponseContent {
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
