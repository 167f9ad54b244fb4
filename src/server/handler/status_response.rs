//! Answers a request with the status page.

use super::error_response::built_in_page;
use super::response::{Response, ResponseContent};
use crate::http::{Method, RequestHead, Status};
use crate::server::limits::client::Client;
use crate::server::status::access::StatusAccess;
use crate::server::status::form::StatusForm;
use crate::server::status::snapshot::Snapshot;

/// The status code, by which a health check decides whether the server gets requests. Without `Retry-After`: the
/// server does not know whether it will be started again.
fn health(snapshot: &Snapshot) -> Status {
    if snapshot.is_stopping { Status::SERVICE_UNAVAILABLE } else { Status::OK }
}

/// Whether the request asks for the status and its client may see it.
pub(crate) fn asks_for_status(access: &StatusAccess, head: &RequestHead, client: &Client) -> bool {
    matches!(head.method(), Method::Get | Method::Head)
        && access.query(head.target()).is_some()
        && access.allows(client)
}

/// The status page, if the request asks for it and its client may see it. Without the operator's fields,
/// which might make it readable by scripts of other origins.
pub(crate) fn status_response(
    access: &StatusAccess,
    head: &RequestHead,
    client: &Client,
    snapshot: impl FnOnce() -> Snapshot,
) -> Option<Response> {
    let query = access.query(head.target()).filter(|_| asks_for_status(access, head, client))?;
    if !access.is_shown_under_host_of(head) {
        let detail = "the status is not shown under this name of the host: ask for it by \
            localhost or an IP address, or start the server with --status-host NAME";
        return Some(built_in_page(head, Status::NOT_FOUND, detail));
    }
    let Some(form) = StatusForm::choose(Some(query), &head.fields()) else {
        let text = b"400 Bad Request: the format is html, json or prometheus\n".to_vec();
        let response = Response::new(Status::BAD_REQUEST, ResponseContent::Text(text));
        return Some(response.field("Content-Type", "text/plain; charset=utf-8"));
    };
    let snapshot = snapshot();
    let text = form.render(&snapshot);
    let response = Response::new(health(&snapshot), ResponseContent::Text(text.into_bytes()))
        .field("Content-Type", form.content_type())
        .field("Cache-Control", "no-store")
        .field("Vary", "Accept")
        .field("X-Content-Type-Options", "nosniff");
    Some(match form.refresh() {
        Some(seconds) => response.field("Refresh", seconds),
        None => response,
    })
}
