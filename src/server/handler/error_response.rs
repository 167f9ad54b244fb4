//! Errors: the operator's page for the status, or a built-in page.

use super::representation::Representation;
use super::response::{Response, ResponseContent};
use crate::http::negotiation::{MediaType, choose_media_type};
use crate::http::{RequestHead, Status};
use crate::server::html::error_page::{ERROR_FORMS, error_page};
use crate::server::site::lookup::Site;

/// An error: the operator's page for the status, unless the client prefers JSON or plain text, or a built-in
/// page with the status and a sentence.
pub(super) fn error_response(
    site: &Site,
    head: &RequestHead,
    status: Status,
    detail: &str,
) -> Response {
    operators_page(site, head, status).unwrap_or_else(|| built_in_page(head, status, detail))
}

/// A status and a sentence, in the form that the client prefers; plain text by default.
pub(super) fn built_in_page(head: &RequestHead, status: Status, detail: &str) -> Response {
    let form = choose_media_type(&head.fields(), &ERROR_FORMS).unwrap_or(MediaType::Plain);
    Response::text(status, form, error_page(status, detail, form)).field("Vary", "Accept")
}

/// The whole page, without validators: preconditions and ranges are about what was asked for, which this is
/// not.
fn operators_page(site: &Site, head: &RequestHead, status: Status) -> Option<Response> {
    const FORMS: [MediaType; 3] = [MediaType::Html, MediaType::Plain, MediaType::Json];
    let page = site.error_page(status)?;
    // A client that accepts none of them gets the page, as RFC 9110 §12.4.1 allows.
    if !matches!(choose_media_type(&head.fields(), &FORMS), None | Some(MediaType::Html)) {
        return None;
    }
    let Representation { file, vary } = Representation::select(site, head, page).chosen_by_accept();
    let description = file.description;
    let length = description.length();
    let content = ResponseContent::File { file: file.content, offset: 0, length };
    let response = Response::new(status, content)
        .field("Content-Type", &*description.content_type)
        .field("X-Content-Type-Options", "nosniff")
        .optional_field("Content-Encoding", description.content_encoding())
        .optional_field("Vary", vary);
    Some(response)
}
