//! A file as the answer to a request: whole, in part, not at all because the client has it already,
//! or not at all because its preconditions fail (RFC 9110 §13, §14).

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::SystemTime;

use super::response::{Content, Response};
use crate::http::conditional::{self, Evaluation, Validators};
use crate::http::range::{self, Selection};
use crate::http::{
    Byteranges, Coding, ContentRange, FileTag, FileVersion, RequestHead, Status, date,
};
use crate::server::site::file::StaticFile;

/// How a file answers a request for it.
#[derive(Debug)]
pub(super) enum Represented {
    /// 200, 206 or 304.
    Response(Response),
    /// 412: the client wants another state of the file than the current one.
    PreconditionFailed,
    /// 416: no part of what is asked for is there; with the file's length.
    Unsatisfiable(u64),
}

/// Answers with `file`, as the request's preconditions and ranges ask.
pub(super) fn represent(file: StaticFile, head: &RequestHead) -> Represented {
    let StaticFile { file, length, modified, changed, inode, content_type, coding, .. } = file;
    let version = FileVersion { inode, size: length, modified, changed };
    let tag = FileTag::new(version, coding);
    // A file that is dated ahead of the clock was last modified now, at the latest (RFC 9110 §8.8.2.1).
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
            let response = Response::new(Status::NOT_MODIFIED, Content::None);
            return Represented::Response(describe(response));
        }
        Evaluation::PreconditionFailed => return Represented::PreconditionFailed,
    }
    let response = match range::select(&fields, &validators, method, length) {
        Selection::Whole => Response::new(Status::OK, Content::File { file, offset: 0, length })
            .field("Content-Type", content_type),
        Selection::Single(range) => {
            let content_range = ContentRange::Satisfied { range, complete_length: Some(length) };
            let content = Content::File { file, offset: range.first, length: range.length() };
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
            let (media_type, content) = (parts.multipart_type(), in_parts(file, &parts));
            Response::new(Status::PARTIAL_CONTENT, content).field("Content-Type", media_type)
        }
        Selection::Unsatisfiable => return Represented::Unsatisfiable(length),
    };
    let response = describe(response)
        .field("Accept-Ranges", "bytes")
        .field("X-Content-Type-Options", "nosniff");
    Represented::Response(match coding {
        Coding::Identity => response,
        coding => response.field("Content-Encoding", coding.token()),
    })
}

fn in_parts(file: File, parts: &Byteranges<'_>) -> Content {
    Content::Parts {
        file,
        parts: parts.parts().collect(),
        closing: parts.closing(),
        length: parts.content_length(),
    }
}

/// A delimiter that nobody who writes a file can foresee, so that no file contains it on purpose.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
