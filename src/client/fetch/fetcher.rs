//! The requests of one attempt at a job: redirects are followed up to the first other response.

use std::time::SystemTime;

use super::coding::codings::FormatHints;
use super::context::{JobRecord, RunContext, Task};
use super::exchange::Exchanger;
use super::redirects::RedirectChain;
use super::request::RequestedContent;
use super::response::{Response, retry_after};
use crate::client::error::FetchError;
use crate::client::settings::{Compression, MAX_REDIRECTS};

/// One attempt at a job, or the help with one.
pub(super) struct Fetcher<'a, 'r> {
    pub(super) exchanger: &'a mut Exchanger<'r>,
    pub(super) run: &'r RunContext<'r>,
    pub(super) task: Task<'a>,
    pub(super) record: &'a mut JobRecord,
}

impl<'r> Fetcher<'_, 'r> {
    /// Hints at the file's format.
    pub(super) fn hints(&self) -> FormatHints<'_> {
        let redirected_to = self.record.redirected_to.as_deref();
        FormatHints { job: self.task.job, redirected_to }
    }

    /// The form in which to request the whole content. A file in a compressed format is requested without
    /// a coding: it would not shrink, and its format could be confused with the coding.
    pub(super) fn whole_content(&self) -> RequestedContent<'static> {
        let hints = FormatHints { job: self.task.job, redirected_to: None };
        let may_be_encoded = self.run.settings.compression == Compression::Asked
            && !self.record.encoded_transfer_failed
            && !hints.suggest_compression();
        if may_be_encoded { RequestedContent::Encoded } else { RequestedContent::Identity }
    }

    /// Sends the request, and follows redirects.
    pub(super) fn request(
        &mut self,
        content: RequestedContent<'_>,
    ) -> Result<Response<'r>, FetchError> {
        let mut chain = RedirectChain::new(self.task.job);
        self.record.redirected_to = None;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchanger.send(&chain.request(content), &mut self.record.phases)?;
            let downgrade = self.run.settings.downgrade;
            let target = match chain.follow(&response.head, downgrade, SystemTime::now()) {
                Ok(None) => return Ok(response),
                Ok(Some(target)) => Ok(Box::new(target.clone())),
                Err(error) => Err(error),
            };
            self.exchanger.discard(response);
            self.record.redirected_to = Some(target?);
        }
        Err(FetchError::TooManyRedirects)
    }

    /// Discards a response, and adds its `Retry-After` to the error.
    pub(super) fn reject(&mut self, response: Response<'_>, error: FetchError) -> FetchError {
        let retry_after = retry_after(&response.head);
        self.exchanger.discard(response);
        let FetchError::Status { status, .. } = error else { return error };
        match retry_after {
            Some(wait) if !self.run.settings.retry.obeys(wait) => {
                FetchError::RetryLater { status, at: SystemTime::now() + wait, was_asked: true }
            }
            _ => FetchError::Status { status, retry_after },
        }
    }
}
