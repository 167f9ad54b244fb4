//! The requests for one URL, from redirect to redirect: where the next one goes, and what it carries.
//!
//! A redirect decides about the place alone. What could be a secret goes where it is meant for: the job's
//! credentials and the user's own fields to the job's origin, those of a `Location` to the origin named
//! there, and cookies where the `cookies` of the chain allow it.

use std::time::SystemTime;

use percent_encoding::{CONTROLS, percent_encode};
use url::{Origin, Url};

use super::cookies::CookieJar;
use super::request::{Asked, Request};
use crate::client::credentials::Credentials;
use crate::client::error::FetchError;
use crate::client::plan::job::{Job, is_supported};
use crate::client::redact::{redacted_reference, redacted_url};
use crate::client::settings::Downgrade;
use crate::client::zone;
use crate::http::{ResponseHead, Status};

/// A chain of redirects, as far as it has been followed.
#[derive(Debug)]
pub(super) struct Chain<'j> {
    job: &'j Job,
    redirected_to: Option<Url>,
    /// The last that a `Location` named, and its origin.
    credentials: Option<(Origin, Credentials)>,
    cookies: CookieJar,
}

impl<'j> Chain<'j> {
    pub(super) fn new(job: &'j Job) -> Self {
        Self { job, redirected_to: None, credentials: None, cookies: CookieJar::default() }
    }

    fn url(&self) -> &Url {
        self.redirected_to.as_ref().unwrap_or(&self.job.url)
    }

    /// The next request.
    pub(super) fn request<'c>(&'c self, asked: Asked<'c>) -> Request<'c> {
        let url = self.url();
        let origin = url.origin();
        let is_first_host = origin == self.job.url.origin();
        let redirected = self.credentials.as_ref().filter(|(of, _)| *of == origin);
        // As in a relative reference, the user name of a `Location` stays until another one is named.
        let credentials = match redirected {
            Some((_, credentials)) => Some(credentials),
            None => self.job.credentials.as_ref().filter(|_| is_first_host),
        };
        let authorization = credentials.map(Credentials::value);
        Request { url, authorization, is_first_host, cookies: self.cookies.of(url), asked }
    }

    /// Goes where the answer sends the client, and returns that place; `None` where it is no redirect.
    pub(super) fn follow(
        &mut self,
        head: &ResponseHead,
        downgrade: Downgrade,
        now: SystemTime,
    ) -> Result<Option<&Url>, FetchError> {
        let Some((target, credentials)) = redirect_target(self.url(), head, downgrade)? else {
            return Ok(None);
        };
        let url = self.redirected_to.as_ref().unwrap_or(&self.job.url);
        self.cookies.store(url, &head.fields(), now);
        if let Some(credentials) = credentials {
            self.credentials = Some((target.origin(), credentials));
        }
        log::debug!("{} redirects to {}", redacted_url(url), redacted_url(&target));
        Ok(Some(self.redirected_to.insert(target)))
    }
}

/// Where the answer sends the client, and with which credentials; `None` where it is no redirect
/// (RFC 9110 §15.4). `300` names several places and `304` none, so neither is one. No error shows
/// credentials.
fn redirect_target(
    url: &Url,
    head: &ResponseHead,
    downgrade: Downgrade,
) -> Result<Option<(Url, Option<Credentials>)>, FetchError> {
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
    // Servers send UTF-8 as it is, which a URL holds percent-encoded.
    let text = |location: &[u8]| Box::<str>::from(percent_encode(location, CONTROLS).to_string());
    let shown = |location: &[u8]| redacted_reference(&text(location)).into();
    let place = |location: &[u8]| {
        url.join(&text(location)).map(|mut target| {
            target.set_fragment(None);
            zone::inherit(url, &mut target);
            let credentials = Credentials::take_from(&mut target);
            (target, credentials)
        })
    };
    let fields = head.fields();
    let mut locations = fields.all("Location");
    let location = locations.next().ok_or(FetchError::MissingLocation(status))?;
    let target = place(location);
    // The same place twice is one.
    if let Some(other) = locations.find(|other| *other != location && place(other) != target) {
        let places = [shown(location), shown(other)].into();
        return Err(FetchError::ConflictingLocations { status, places });
    }
    match target {
        Ok((target, _)) if !is_supported(&target) => {
            Err(FetchError::RedirectScheme(Box::new(target)))
        }
        Ok((target, _))
            if (url.scheme(), target.scheme()) == ("https", "http")
                && downgrade == Downgrade::Refuse =>
        {
            Err(FetchError::Downgrade(Box::new(target)))
        }
        Ok(target) => Ok(Some(target)),
        Err(error) => Err(FetchError::InvalidLocation { location: shown(location), error }),
    }
}
