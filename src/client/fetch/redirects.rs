//! The requests for one URL, from redirect to redirect: where each goes, and what it may carry.
//!
//! A redirect chooses the target alone. Secrets go only where they belong: the job's credentials and the
//! user's own fields to the job's origin, the credentials of a `Location` to the origin that it names, and
//! cookies where `cookies` allows it.

use std::time::SystemTime;

use percent_encoding::{CONTROLS, percent_encode};
use url::{Origin, ParseError, Url};

use super::cookies::CookieJar;
use super::request::{Request, RequestedContent};
use crate::client::credentials::Credentials;
use crate::client::error::FetchError;
use crate::client::plan::job::{Job, is_supported};
use crate::client::redact::{redacted_reference, redacted_url};
use crate::client::settings::Downgrade;
use crate::client::zone;
use crate::http::{ResponseHead, Status};

/// A chain of redirects, as far as it has been followed.
#[derive(Debug)]
pub(super) struct RedirectChain<'j> {
    job: &'j Job,
    redirected_to: Option<Url>,
    /// The last credentials in a `Location`.
    credentials: Option<OriginCredentials>,
    cookies: CookieJar,
}

#[derive(Debug)]
struct OriginCredentials {
    origin: Origin,
    credentials: Credentials,
}

/// The target of a redirect, and the credentials that its `Location` had.
#[derive(Debug, PartialEq, Eq)]
struct RedirectTarget {
    url: Url,
    credentials: Option<Credentials>,
}

impl<'j> RedirectChain<'j> {
    pub(super) fn new(job: &'j Job) -> Self {
        Self { job, redirected_to: None, credentials: None, cookies: CookieJar::default() }
    }

    fn url(&self) -> &Url {
        self.redirected_to.as_ref().unwrap_or(&self.job.url)
    }

    /// The next request.
    pub(super) fn request<'c>(&'c self, content: RequestedContent<'c>) -> Request<'c> {
        let url = self.url();
        let origin = url.origin();
        let is_job_origin = origin == self.job.url.origin();
        let redirected = self.credentials.as_ref().filter(|stored| stored.origin == origin);
        // As in a relative reference, the credentials of a `Location` stay until another one has some.
        let credentials = match redirected {
            Some(stored) => Some(&stored.credentials),
            None => self.job.credentials.as_ref().filter(|_| is_job_origin),
        };
        let authorization = credentials.map(Credentials::value);
        Request { url, authorization, is_job_origin, cookies: self.cookies.of(url), content }
    }

    /// Follows a response, and returns the new URL; `None` if it is no redirect.
    pub(super) fn follow(
        &mut self,
        head: &ResponseHead,
        downgrade: Downgrade,
        now: SystemTime,
    ) -> Result<Option<&Url>, FetchError> {
        let Some(target) = redirect_target(self.url(), head, downgrade)? else {
            return Ok(None);
        };
        let url = self.redirected_to.as_ref().unwrap_or(&self.job.url);
        self.cookies.store(url, &head.fields(), now);
        if let Some(credentials) = target.credentials {
            let origin = target.url.origin();
            self.credentials = Some(OriginCredentials { origin, credentials });
        }
        log::debug!("{} redirects to {}", redacted_url(url), redacted_url(&target.url));
        Ok(Some(self.redirected_to.insert(target.url)))
    }
}

/// The target of a redirect; `None` if the response is none (RFC 9110 §15.4). `300` offers a choice and
/// `304` has no target, so neither is followed. The errors contain no credentials.
fn redirect_target(
    base: &Url,
    head: &ResponseHead,
    downgrade: Downgrade,
) -> Result<Option<RedirectTarget>, FetchError> {
    let status = head.status();
    if !matches!(
        status,
        Status::MOVED_PERMANENTLY
            | Status::FOUND
            | Status::SEE_OTHER
            | Status::TEMPORARY_REDIRECT
            | Status::PERMANENT_REDIRECT
    ) {
        return Ok(None);
    }
    let shown = |location: &[u8]| redacted_reference(&percent_encoded(location)).into();
    let fields = head.fields();
    let mut locations = fields.all("Location");
    let location = locations.next().ok_or(FetchError::MissingLocation(status))?;
    let target = parse_location(base, location);
    // A repetition of the same target does no harm.
    let is_other = |other: &&[u8]| *other != location && parse_location(base, other) != target;
    if let Some(other) = locations.find(is_other) {
        let places = [shown(location), shown(other)].into();
        return Err(FetchError::ConflictingLocations { status, places });
    }
    match target {
        Ok(RedirectTarget { url, .. }) if !is_supported(&url) => {
            Err(FetchError::RedirectScheme(Box::new(url)))
        }
        Ok(RedirectTarget { url, .. })
            if (base.scheme(), url.scheme()) == ("https", "http")
                && downgrade == Downgrade::Refuse =>
        {
            Err(FetchError::Downgrade(Box::new(url)))
        }
        Ok(target) => Ok(Some(target)),
        Err(error) => Err(FetchError::InvalidLocation { location: shown(location), error }),
    }
}

fn parse_location(base: &Url, location: &[u8]) -> Result<RedirectTarget, ParseError> {
    let mut url = base.join(&percent_encoded(location))?;
    url.set_fragment(None);
    zone::inherit(base, &mut url);
    let credentials = Credentials::take_from(&mut url);
    Ok(RedirectTarget { url, credentials })
}

/// Some servers send raw UTF-8, which a URL has percent-encoded.
fn percent_encoded(location: &[u8]) -> String {
    percent_encode(location, CONTROLS).to_string()
}
