//! Answers a request by its method and its target: with a file, a listing, a redirect or an error.
//!
//! No sockets: a head goes in, a response comes out.

use super::file_response::{FileRefusal, file_response};
use super::response::{Response, ResponseContent};
use crate::http::conditional::{self, Evaluation, Validators};
use crate::http::negotiation::{MediaType, choose_coding, choose_media_type};
use crate::http::{
    ALLOW, Coding, ContentRange, FieldLines, Method, RequestError, RequestHead, Status, Target,
    TargetPath, Version, is_host,
};
use crate::printable::Escaped;
use crate::server::config::ExtraFields;
use crate::server::html::error_page::{ERROR_FORMS, error_page};
use crate::server::site::error::LookupError;
use crate::server::site::file::NamedFile;
use crate::server::site::listing::contents::Listing;
use crate::server::site::lookup::{Resource, Site};
use crate::server::site::precompressed::PrecompressedFiles;

/// Answers requests from a site, with the operator's extra fields.
#[derive(Debug)]
pub(crate) struct Handler {
    site: Site,
    cache_control: Option<String>,
    /// The operator's further fields.
    further: FieldLines,
}

impl Handler {
    pub(crate) fn new(site: Site, extra: ExtraFields) -> Self {
        let mut further = FieldLines::default();
        for field in &extra.further {
            further.push(&field.name, &field.value);
        }
        Self { site, cache_control: extra.cache_control, further }
    }

    /// Answers a request with a well-formed head.
    pub(crate) fn answer(&self, head: &RequestHead) -> Response {
        self.with_extra_fields(self.answer_method(head))
    }

    /// Answers a malformed request; `head` holds the part that was parsed.
    pub(crate) fn refuse(&self, head: &RequestHead, error: RequestError) -> Response {
        self.with_extra_fields(refusal(head, error))
    }

    /// Adds the operator's fields. Rejections before a request get them as well: without them a script of
    /// another origin could not read that it was rejected (CORS).
    pub(crate) fn with_extra_fields(&self, response: Response) -> Response {
        response.lines(&self.further)
    }

    fn answer_method(&self, head: &RequestHead) -> Response {
        let method = head.method();
        match method {
            Method::Get | Method::Head | Method::Options => {}
            Method::Unsupported => {
                let detail = "only GET, HEAD and OPTIONS are allowed";
                return error_response(head, Status::METHOD_NOT_ALLOWED, detail)
                    .field("Allow", ALLOW);
            }
            Method::Unknown => {
                return error_response(head, Status::NOT_IMPLEMENTED, "unknown method");
            }
        }
        match Target::parse(method, head.target()) {
            Ok(Target::Path(path)) if method != Method::Options => self.answer_path(head, &path),
            Ok(Target::Server | Target::Path(_)) => {
                Response::new(Status::NO_CONTENT, ResponseContent::None).field("Allow", ALLOW)
            }
            Err(error) => refusal(head, error),
        }
    }

    fn answer_path(&self, head: &RequestHead, path: &TargetPath) -> Response {
        match self.site.find(path) {
            Ok(Resource::File(file)) => self.answer_file(head, file),
            Ok(Resource::Listing(listing)) => listing_response(head, listing),
            Ok(Resource::Redirect(location)) => redirect(head, location),
            Err(error) => lookup_error_response(head, path, &error),
        }
    }

    /// Answers with a file, or with a precompressed file that the client prefers (RFC 9110 §12.5.3).
    fn answer_file(&self, head: &RequestHead, named: NamedFile<'_>) -> Response {
        let NamedFile { file: mut chosen, path } = named;
        let varies = self.site.may_have_precompressed(&chosen);
        let fields = head.fields();
        // A client that accepts no available coding gets the plain file, as §12.5.3 allows.
        let choose = |available| choose_coding(&fields, available).unwrap_or(Coding::Identity);
        // Precompressed files are looked up only for clients that accept one of their codings.
        if varies && choose(&PrecompressedFiles::CODINGS) != Coding::Identity {
            let precompressed = self.site.find_precompressed(path, &chosen);
            let coding = choose(precompressed.codings());
            if let Some(file) = precompressed.take(coding) {
                chosen = file;
            }
        }
        match file_response(chosen, head) {
            Ok(mut response) => {
                if varies {
                    response = response.field("Vary", "Accept-Encoding");
                }
                match &self.cache_control {
                    Some(value) => response.field("Cache-Control", value),
                    None => response,
                }
            }
            Err(FileRefusal::PreconditionFailed) => precondition_failed(head),
            Err(FileRefusal::RangeNotSatisfiable { complete_length }) => {
                let content_range = ContentRange::Unsatisfied { complete_length };
                let detail = "the file does not have the requested range";
                error_response(head, Status::RANGE_NOT_SATISFIABLE, detail)
                    .field("Content-Range", content_range.to_string())
            }
        }
    }
}

fn lookup_error_response(head: &RequestHead, path: &TargetPath, error: &LookupError) -> Response {
    match error {
        LookupError::NotFound => error_response(head, Status::NOT_FOUND, "there is no such file"),
        LookupError::Forbidden => error_response(head, Status::FORBIDDEN, "this may not be read"),
        LookupError::NoRoot => {
            let detail = "the served directory does not exist at present";
            error_response(head, Status::SERVICE_UNAVAILABLE, detail).field("Retry-After", "1")
        }
        LookupError::Failed(error) => {
            log::warn!("cannot open {}: {error}", Escaped(&path.relative));
            let detail = "the file cannot be opened at present";
            error_response(head, Status::SERVICE_UNAVAILABLE, detail).field("Retry-After", "1")
        }
    }
}

fn refusal(head: &RequestHead, error: RequestError) -> Response {
    error_response(head, error.status(), &error.to_string())
}

/// Checks that an HTTP/1.1 request has exactly one valid `Host`, and an HTTP/1.0 request at most one
/// (RFC 9112 §3.2).
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

/// Answers with a listing. It has no validators, so only preconditions of the form `*` can decide
/// (RFC 9110 §13.1.1, §13.1.2).
fn listing_response(head: &RequestHead, listing: Listing) -> Response {
    let fields = head.fields();
    let response = match conditional::evaluate(&fields, &Validators::default(), head.method()) {
        Evaluation::Proceed => {
            let form = choose_media_type(&fields, &Listing::FORMS).unwrap_or(MediaType::Html);
            Response::generated(Status::OK, form, ResponseContent::Listing { listing, form })
        }
        Evaluation::NotModified => Response::new(Status::NOT_MODIFIED, ResponseContent::None),
        Evaluation::PreconditionFailed => return precondition_failed(head),
    };
    response.field("Vary", "Accept")
}

fn precondition_failed(head: &RequestHead) -> Response {
    error_response(head, Status::PRECONDITION_FAILED, "a precondition of the request is false")
}

/// Redirects with 301 rather than 308: for GET and HEAD they mean the same (RFC 9110 §15.4.2), and the
/// text browsers w3m and lynx do not follow 308.
fn redirect(head: &RequestHead, location: String) -> Response {
    let detail = format!("the directory is {location}");
    error_response(head, Status::MOVED_PERMANENTLY, &detail).field("Location", location)
}

/// A status and a sentence, in the form that the client prefers; plain text by default.
pub(super) fn error_response(head: &RequestHead, status: Status, detail: &str) -> Response {
    let form = choose_media_type(&head.fields(), &ERROR_FORMS).unwrap_or(MediaType::Plain);
    Response::text(status, form, error_page(status, detail, form)).field("Vary", "Accept")
}
