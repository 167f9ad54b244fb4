//! What a request is answered with: its method and target, the file they name, or the refusal.
//!
//! No sockets here: a head goes in and a response comes out.

use std::sync::Arc;

use super::file_response::{Represented, represent};
use super::response::{Content, Response};
use crate::http::conditional::{self, Evaluation, Validators};
use crate::http::negotiation::{MediaType, choose_coding, choose_media_type};
use crate::http::{
    ALLOW, Coding, ContentRange, Fields, Method, RequestError, RequestHead, Status, Target,
    TargetPath, Version, is_host,
};
use crate::printable::Escaped;
use crate::server::config::ExtraFields;
use crate::server::html::error_page::{ERROR_FORMS, error_page};
use crate::server::site::error::Absence;
use crate::server::site::file::StaticFile;
use crate::server::site::listing::contents::Listing;
use crate::server::site::lookup::{Found, Site};
use crate::server::site::precompressed::Twins;

/// What is served, and with which fields beyond those that describe it.
#[derive(Debug)]
pub(crate) struct Answerer {
    site: Site,
    extra: Arc<ExtraFields>,
}

impl Answerer {
    pub(crate) fn new(site: Site, extra: ExtraFields) -> Self {
        Self { site, extra: Arc::new(extra) }
    }

    /// Answers a request whose head is well-formed.
    pub(crate) fn answer(&self, head: &RequestHead) -> Response {
        self.with_further_fields(self.answer_method(head))
    }

    /// Answers a request that is refused for its form, whatever it asks for.
    pub(crate) fn refuse(&self, head: &RequestHead, error: RequestError) -> Response {
        self.with_further_fields(refusal(head, error))
    }

    /// Adds the operator's fields, also to what is answered before there is a request: without them a
    /// script from another origin could not even read that it was rejected (CORS).
    pub(crate) fn with_further_fields(&self, response: Response) -> Response {
        self.extra.further.iter().fold(response, |response, field| {
            response.field(field.name.clone(), field.value.clone())
        })
    }

    fn answer_method(&self, head: &RequestHead) -> Response {
        let method = head.method();
        match method {
            Method::Get | Method::Head | Method::Options => {}
            Method::Unsupported => {
                return refuse(head, Status::METHOD_NOT_ALLOWED, "only files are read here")
                    .field("Allow", ALLOW);
            }
            Method::Unknown => return refuse(head, Status::NOT_IMPLEMENTED, "unknown method"),
        }
        match Target::parse(method, head.target()) {
            Ok(Target::Path(path)) if method != Method::Options => self.answer_path(head, &path),
            Ok(Target::Server | Target::Path(_)) => {
                Response::new(Status::NO_CONTENT, Content::None).field("Allow", ALLOW)
            }
            Err(error) => refusal(head, error),
        }
    }

    fn answer_path(&self, head: &RequestHead, path: &TargetPath) -> Response {
        match self.site.find(path) {
            Ok(Found::File(file)) => self.answer_file(head, path, file),
            Ok(Found::Listing(listing)) => list(head, listing),
            Ok(Found::Redirect(location)) => redirect(head, location),
            Err(Absence::NotFound) => refuse(head, Status::NOT_FOUND, "there is no such file"),
            Err(Absence::Forbidden) => refuse(head, Status::FORBIDDEN, "this may not be read"),
            Err(Absence::NoRoot) => {
                let reason = "the directory that is served is not there at present";
                refuse(head, Status::SERVICE_UNAVAILABLE, reason).field("Retry-After", "1")
            }
            Err(Absence::Failed(error)) => {
                log::warn!("cannot open {}: {error}", Escaped(&path.relative));
                let reason = "the file cannot be opened at present";
                refuse(head, Status::SERVICE_UNAVAILABLE, reason).field("Retry-After", "1")
            }
        }
    }

    /// Answers with a file, or with a coded twin of it that the client prefers (RFC 9110 §12.5.3).
    fn answer_file(&self, head: &RequestHead, path: &TargetPath, file: StaticFile) -> Response {
        let varies = self.site.may_have_twins(&file);
        let mut chosen = file;
        let fields = head.fields();
        // A client that refuses everything there is gets the file as it is: §12.5.3 allows it.
        let choose = |available| choose_coding(&fields, available).unwrap_or(Coding::Identity);
        // Nobody looks for what would not be taken.
        if varies && choose(&Twins::CODINGS) != Coding::Identity {
            let twins = self.site.find_twins(path, &chosen);
            let coding = choose(twins.codings());
            if let Some(twin) = twins.take(coding) {
                chosen = twin;
            }
        }
        match represent(chosen, head) {
            Represented::Response(mut response) => {
                if varies {
                    response = response.field("Vary", "Accept-Encoding");
                }
                match &self.extra.cache_control {
                    Some(value) => response.field("Cache-Control", value.clone()),
                    None => response,
                }
            }
            Represented::PreconditionFailed => precondition_failed(head),
            Represented::Unsatisfiable(complete_length) => {
                let content_range = ContentRange::Unsatisfied { complete_length };
                refuse(head, Status::RANGE_NOT_SATISFIABLE, "the file has no such part")
                    .field("Content-Range", content_range.to_string())
            }
        }
    }
}

fn refusal(head: &RequestHead, error: RequestError) -> Response {
    refuse(head, error.status(), &error.to_string())
}

/// Checks what every request must have, beyond its grammar: one valid `Host` in HTTP/1.1, and at most
/// one in HTTP/1.0 (RFC 9112 §3.2).
///
/// # Errors
/// [`RequestError::Host`].
pub(crate) fn check_host(head: &RequestHead) -> Result<(), RequestError> {
    let fields = head.fields();
    let mut hosts = fields.all("Host");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => Ok(()),
        (None, None) if head.version() == Version::Http10 => Ok(()),
        _ => Err(RequestError::Host),
    }
}

/// Answers with a listing, which has no validators: of the preconditions, those hold or fail that ask
/// whether there is anything at all (RFC 9110 §13.1.1, §13.1.2).
fn list(head: &RequestHead, listing: Listing) -> Response {
    let fields = head.fields();
    let response = match conditional::evaluate(&fields, &Validators::default(), head.method()) {
        Evaluation::Proceed => {
            let form = choose_media_type(&fields, &Listing::FORMS).unwrap_or(MediaType::Html);
            Response::of_type(Status::OK, form, Content::Listing { listing, form })
        }
        Evaluation::NotModified => Response::new(Status::NOT_MODIFIED, Content::None),
        Evaluation::PreconditionFailed => return precondition_failed(head),
    };
    response.field("Vary", "Accept")
}

fn precondition_failed(head: &RequestHead) -> Response {
    refuse(head, Status::PRECONDITION_FAILED, "it is not in the state that is asked for")
}

/// 301 rather than 308: for GET and HEAD they mean the same (RFC 9110 §15.4.2), and the text browsers
/// w3m and lynx follow the older one alone.
fn redirect(head: &RequestHead, location: String) -> Response {
    let detail = format!("the directory is {location}");
    refuse(head, Status::MOVED_PERMANENTLY, &detail).field("Location", location)
}

/// A status and a sentence, as the client reads them best: a page for a browser, else plain text.
pub(super) fn refuse(head: &RequestHead, status: Status, detail: &str) -> Response {
    let form = error_form(&head.fields());
    Response::typed(status, form, error_page(status, detail, form)).field("Vary", "Accept")
}

fn error_form(fields: &Fields<'_>) -> MediaType {
    choose_media_type(fields, &ERROR_FORMS).unwrap_or(MediaType::Plain)
}
