//! What a request is answered with: its method and target, the file they name, or the refusal.
//!
//! No sockets here: a head goes in and a response comes out.

use super::representation::{Represented, represent};
use super::response::{Content, Response};
use super::site::{Absence, Found, Listing, Site};
use crate::http::negotiation::{MediaType, choose_media_type};
use crate::http::{
    ALLOW, ContentRange, Method, RequestError, RequestHead, Status, Target, Version, is_host,
};

/// Answers a request whose head is well-formed.
pub(super) fn answer(site: &Site, head: &RequestHead) -> Response {
    match head.method() {
        Method::Get | Method::Head | Method::Options => {}
        Method::Unsupported => {
            return refuse(Status::METHOD_NOT_ALLOWED, "only files are read here")
                .field("Allow", ALLOW);
        }
        Method::Unknown => return refuse(Status::NOT_IMPLEMENTED, "unknown method"),
    }
    let path = match Target::parse(head.method(), head.target()) {
        Ok(Target::Path(path)) if head.method() != Method::Options => path,
        Ok(Target::Server | Target::Path(_)) => {
            return Response::new(Status::NO_CONTENT, Content::None).field("Allow", ALLOW);
        }
        Err(error) => return refusal(error),
    };
    match site.find(&path) {
        Ok(Found::File(file)) => match represent(file, head) {
            Represented::Response(response) => response,
            Represented::PreconditionFailed => refuse(
                Status::PRECONDITION_FAILED,
                "the file is not in the state that is asked for",
            ),
            Represented::Unsatisfiable(complete_length) => {
                let content_range = ContentRange::Unsatisfied { complete_length };
                refuse(Status::RANGE_NOT_SATISFIABLE, "the file has no such part")
                    .field("Content-Range", content_range.to_string())
            }
        },
        Ok(Found::Listing(listing)) => {
            let form =
                choose_media_type(&head.fields(), &Listing::FORMS).unwrap_or(MediaType::Html);
            Response::new(Status::OK, Content::Text(listing.write(form).into_bytes()))
                .field("Content-Type", form.content_type())
                .field("Vary", "Accept")
        }
        Ok(Found::Redirect(location)) => redirect(location),
        Err(Absence::NotFound) => refuse(Status::NOT_FOUND, "there is no such file"),
        Err(Absence::Forbidden) => refuse(Status::FORBIDDEN, "this may not be read"),
        Err(Absence::Failed(error)) => {
            log::warn!("cannot open {}: {error}", path.relative.escape_ascii());
            refuse(Status::SERVICE_UNAVAILABLE, "the file cannot be opened at present")
        }
    }
}

/// Answers a request that is refused for its form, whatever it asks for.
pub(super) fn refusal(error: RequestError) -> Response {
    refuse(error.status(), &error.to_string())
}

/// Checks what every request must have, beyond its grammar: one valid `Host` in HTTP/1.1, and at most
/// one in HTTP/1.0 (RFC 9112 §3.2).
///
/// # Errors
/// [`RequestError::Host`].
pub(super) fn check_host(head: &RequestHead) -> Result<(), RequestError> {
    let fields = head.fields();
    let mut hosts = fields.all("Host");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => Ok(()),
        (None, None) if head.version() == Version::Http10 => Ok(()),
        _ => Err(RequestError::Host),
    }
}

fn refuse(status: Status, reason: &str) -> Response {
    Response::text(status, format!("{status}: {reason}\n"))
}

fn redirect(location: String) -> Response {
    let text = format!("{}: the directory is {location}\n", Status::PERMANENT_REDIRECT);
    Response::text(Status::PERMANENT_REDIRECT, text).field("Location", location)
}
