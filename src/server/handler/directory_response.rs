//! Answers a request with a directory: as a listing or as an archive.
//!
//! Neither has validators, so only preconditions of the form `*` can decide (RFC 9110 §13.1.1, §13.1.2).

use super::response::{Response, ResponseContent};
use crate::http::conditional::{self, Evaluation, Validators};
use crate::http::content_disposition::attachment;
use crate::http::negotiation::{MediaType, choose_media_type};
use crate::http::{RequestHead, Status};
use crate::server::site::archive::contents::Archive;
use crate::server::site::listing::contents::Listing;

/// 412: the client asks for another state of the directory.
#[derive(Debug)]
pub(super) struct PreconditionFailed;

/// Answers 200 or 304 with a listing, in the form that the client prefers.
pub(super) fn listing_response(
    head: &RequestHead,
    listing: Listing,
) -> Result<Response, PreconditionFailed> {
    let response = respond(head, || {
        let form = choose_media_type(&head.fields(), &Listing::FORMS).unwrap_or(MediaType::Html);
        Response::generated(Status::OK, form, ResponseContent::Listing { listing, form })
    });
    Ok(response?.field("Vary", "Accept"))
}

/// Answers 200 or 304 with an archive, to be saved as a file. It cannot be continued: the directory may have
/// changed.
pub(super) fn archive_response(
    head: &RequestHead,
    archive: Box<Archive>,
) -> Result<Response, PreconditionFailed> {
    respond(head, || {
        let disposition = attachment(&archive.file_name());
        Response::new(Status::OK, ResponseContent::Archive(archive))
            .field("Content-Type", "application/x-tar")
            .field("Content-Disposition", disposition)
            .field("Accept-Ranges", "none")
            .field("X-Content-Type-Options", "nosniff")
    })
}

fn respond(
    head: &RequestHead,
    response: impl FnOnce() -> Response,
) -> Result<Response, PreconditionFailed> {
    match conditional::evaluate(&head.fields(), &Validators::default(), head.method()) {
        Evaluation::Proceed => Ok(response()),
        Evaluation::NotModified => Ok(Response::new(Status::NOT_MODIFIED, ResponseContent::None)),
        Evaluation::PreconditionFailed => Err(PreconditionFailed),
    }
}
