//! Answers a request by its method and its target: with a file, a listing, an archive, a redirect or an
//! error.
//!
//! No sockets: a head goes in, a response comes out.

use super::directory_response::{PreconditionFailed, archive_response, listing_response};
use super::error_response::{built_in_page, error_response};
use super::extra_fields::{Channel, ExtraFieldLines};
use super::fallback::select_fallback;
use super::file_response::{FileRefusal, file_response};
use super::representation::Representation;
use super::response::{Response, ResponseContent};
use crate::http::{
    ALLOW, ContentRange, Method, RequestError, RequestHead, Status, Target, TargetPath, Version,
    is_host,
};
use crate::printable::Escaped;
use crate::server::access::authenticator::LoginError;
use crate::server::config::ServerConfig;
use crate::server::site::error::LookupError;
use crate::server::site::lookup::{Resource, Site};

/// Answers requests from a site. The operator's fields are added by [`Handler::with_extra_fields`].
#[derive(Debug)]
pub(crate) struct Handler {
    site: Site,
    cache_control: Option<String>,
    further: ExtraFieldLines,
}

impl Handler {
    pub(crate) fn new(site: Site, config: &ServerConfig) -> Self {
        let cache_control = config.extra_fields.cache_control.clone();
        Self { site, cache_control, further: ExtraFieldLines::new(config) }
    }

    /// Answers a request without a right password. The field is the challenge of a 401.
    pub(crate) fn refuse_login(
        &self,
        head: &RequestHead,
        error: LoginError,
        challenge: &str,
    ) -> Response {
        let (status, detail) = match error {
            LoginError::NoCredentials => {
                (Status::UNAUTHORIZED, "a user name and a password are needed")
            }
            LoginError::WrongPassword => {
                (Status::UNAUTHORIZED, "the user name or the password is wrong")
            }
            LoginError::TooManyFailures => {
                let detail =
                    "too many wrong passwords have come from your address: try again in a moment";
                (Status::TOO_MANY_REQUESTS, detail)
            }
            LoginError::TooManyAttempts => {
                let detail = "too many passwords are being verified: try again in a moment";
                (Status::SERVICE_UNAVAILABLE, detail)
            }
        };
        let response = self.error(head, status, detail);
        if status == Status::UNAUTHORIZED {
            response.field("WWW-Authenticate", challenge)
        } else {
            response.field("Retry-After", fastrand::u64(1..=3).to_string())
        }
    }

    /// Adds the operator's fields. Rejections before a request get them as well: without them a script of
    /// another origin could not read that it was rejected (CORS).
    pub(crate) fn with_extra_fields(&self, response: Response, channel: Channel) -> Response {
        self.further.add(response, channel)
    }

    /// Adds what a response with the fields for plain connections lacks if it is sent over TLS.
    pub(crate) fn with_tls_fields(&self, response: Response) -> Response {
        self.further.add_for_tls(response)
    }

    /// Answers a request with a well-formed head.
    pub(crate) fn answer(&self, head: &RequestHead) -> Response {
        let method = head.method();
        match method {
            Method::Get | Method::Head | Method::Options => {}
            Method::Unsupported => {
                let detail = "only GET, HEAD and OPTIONS are allowed";
                return self.error(head, Status::METHOD_NOT_ALLOWED, detail).field("Allow", ALLOW);
            }
            Method::Unknown => {
                return self.error(head, Status::NOT_IMPLEMENTED, "unknown method");
            }
        }
        match Target::parse(method, head.target()) {
            Ok(Target::Path(path)) if method != Method::Options => self.answer_path(head, &path),
            Ok(Target::Server | Target::Path(_)) => {
                Response::new(Status::NO_CONTENT, ResponseContent::None).field("Allow", ALLOW)
            }
            Err(error) => self.refuse(head, error),
        }
    }

    fn answer_path(&self, head: &RequestHead, path: &TargetPath) -> Response {
        match self.site.find(path) {
            Ok(Resource::File(file)) => {
                self.answer_file(head, Representation::select(&self.site, head, file))
            }
            Ok(Resource::Listing(listing)) => listing_response(head, listing)
                .unwrap_or_else(|PreconditionFailed| self.precondition_failed(head)),
            Ok(Resource::Archive(archive)) => archive_response(head, archive)
                .unwrap_or_else(|PreconditionFailed| self.precondition_failed(head)),
            Ok(Resource::Redirect(location)) => redirect(head, location),
            Err(error) => self.answer_without_file(head, path, &error),
        }
    }

    fn answer_file(&self, head: &RequestHead, representation: Representation) -> Response {
        let Representation { file, vary } = representation;
        match file_response(file, head) {
            Ok(response) => response
                .optional_field("Vary", vary)
                .optional_field("Cache-Control", self.cache_control.as_ref()),
            Err(FileRefusal::PreconditionFailed) => self.precondition_failed(head),
            Err(FileRefusal::RangeNotSatisfiable { complete_length }) => {
                let content_range = ContentRange::Unsatisfied { complete_length };
                let detail = "the file does not have the requested range";
                self.error(head, Status::RANGE_NOT_SATISFIABLE, detail)
                    .field("Content-Range", content_range.to_string())
            }
        }
    }

    fn answer_without_file(
        &self,
        head: &RequestHead,
        path: &TargetPath,
        error: &LookupError,
    ) -> Response {
        let fallback = match error {
            LookupError::NotFound => select_fallback(&self.site, head, path),
            _ => None,
        };
        match fallback {
            Some(page) => self.answer_file(head, page),
            None => self.lookup_error(head, path, error),
        }
    }

    fn lookup_error(&self, head: &RequestHead, path: &TargetPath, error: &LookupError) -> Response {
        match error {
            LookupError::NotFound => self.error(head, Status::NOT_FOUND, "there is no such file"),
            LookupError::Forbidden => self.error(head, Status::FORBIDDEN, "this may not be read"),
            LookupError::NoRoot => {
                let detail = "the served directory does not exist at present";
                self.error(head, Status::SERVICE_UNAVAILABLE, detail).field("Retry-After", "1")
            }
            LookupError::Failed(error) => {
                log::warn!("cannot open {}: {error}", Escaped(&path.relative));
                let detail = "the file cannot be opened at present";
                self.error(head, Status::SERVICE_UNAVAILABLE, detail).field("Retry-After", "1")
            }
        }
    }

    fn precondition_failed(&self, head: &RequestHead) -> Response {
        self.error(head, Status::PRECONDITION_FAILED, "a precondition of the request is false")
    }

    /// Answers a malformed request; `head` holds the part that was parsed.
    pub(crate) fn refuse(&self, head: &RequestHead, error: RequestError) -> Response {
        self.error(head, error.status(), &error.to_string())
    }

    fn error(&self, head: &RequestHead, status: Status, detail: &str) -> Response {
        error_response(&self.site, head, status, detail)
    }
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

/// Redirects with 301 rather than 308: for GET and HEAD they mean the same (RFC 9110 §15.4.2), and the
/// text browsers w3m and lynx do not follow 308.
fn redirect(head: &RequestHead, location: String) -> Response {
    let detail = format!("the directory is {location}");
    built_in_page(head, Status::MOVED_PERMANENTLY, &detail).field("Location", location)
}
