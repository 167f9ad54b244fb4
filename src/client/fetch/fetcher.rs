//! What every kind of attempt at a URL begins with: the request, and following its redirects.

use std::time::SystemTime;

use url::Url;

use super::coding::codings::Names;
use super::exchange::{Answer, Exchanger, asked_wait};
use super::redirects::Chain;
use super::request::Asked;
use super::split::split_files::SplitFiles;
use crate::client::error::FetchError;
use crate::client::observer::Observer;
use crate::client::plan::job::Job;
use crate::client::results::outcome::Phases;
use crate::client::settings::{Compression, MAX_REDIRECTS, Settings};
use crate::client::store::directory::OutputDirectory;
use crate::client::store::final_name::FinalNames;
use crate::client::store::hasher::Hasher;

/// What all fetches of a run have in common beside the network.
pub(crate) struct Work<'r> {
    pub(crate) settings: &'r Settings,
    pub(crate) directory: &'r OutputDirectory,
    pub(crate) names: FinalNames<'r>,
    pub(crate) splits: SplitFiles,
    pub(crate) observer: &'r dyn Observer,
}

/// Fetches one URL after another.
pub(crate) struct Fetcher<'r> {
    pub(crate) exchanger: Exchanger<'r>,
    pub(crate) work: &'r Work<'r>,
}

/// What is noted of the attempts at one job.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) phases: Phases,
    pub(crate) redirected_to: Option<Box<Url>>,
    /// Content that came over the network.
    pub(crate) received: u64,
    /// The most of the file that was there at any time, of what these attempts brought or continued, and
    /// kept. A part that an earlier run left and none of them could continue is not in their way.
    pub(crate) furthest_bytes: u64,
    /// Coded content did not come whole. It cannot be continued, but content that is asked for plain can.
    pub(super) has_lost_coded: bool,
}

impl Record {
    /// So much of the file is there, and kept if the attempt fails.
    pub(super) fn keeps(&mut self, bytes: u64) {
        self.furthest_bytes = self.furthest_bytes.max(bytes);
    }
}

impl<'r> Fetcher<'r> {
    /// How the whole of a job's content is asked for. A file that is coded by its format would gain
    /// nothing, and it would not be clear which coding is its own.
    pub(super) fn asked_of(&self, job: &Job, record: &Record) -> Asked<'static> {
        let names = Names { job, redirected_to: None };
        let asks = self.work.settings.compression == Compression::Asked && !record.has_lost_coded;
        if asks && !names.are_of_coded_file() { Asked::Coded } else { Asked::Plain }
    }

    /// Reads past an answer that is of no use; the error then has all that the answer says.
    pub(super) fn refused(&mut self, answer: Answer<'_>, error: FetchError) -> FetchError {
        let retry_after = asked_wait(&answer.head);
        self.exchanger.discard(answer);
        let max_wait = self.work.settings.retry.max_wait;
        match (error, retry_after) {
            (FetchError::Status { status, .. }, Some(wait)) if wait > max_wait => {
                FetchError::RetryLater { status, at: SystemTime::now() + wait, was_asked: true }
            }
            (FetchError::Status { status, .. }, retry_after) => {
                FetchError::Status { status, retry_after }
            }
            (error, _) => error,
        }
    }

    /// Sends the request, and follows redirects to the answer that is none.
    pub(super) fn follow(
        &mut self,
        job: &Job,
        asked: Asked<'_>,
        record: &mut Record,
    ) -> Result<Answer<'r>, FetchError> {
        let downgrade = self.work.settings.downgrade;
        let mut chain = Chain::new(job);
        record.redirected_to = None;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.exchanger.ask(&chain.request(asked), &mut record.phases)?;
            let target = match chain.follow(&answer.head, downgrade, SystemTime::now()) {
                Ok(None) => return Ok(answer),
                Ok(Some(target)) => Ok(Box::new(target.clone())),
                Err(error) => Err(error),
            };
            self.exchanger.discard(answer);
            record.redirected_to = Some(target?);
        }
        Err(FetchError::TooManyRedirects)
    }

    /// Hashes a job's content as it comes.
    pub(super) fn hasher(&self, job: &Job) -> Hasher {
        Hasher::of(job.checksum.as_ref(), self.work.settings.saving.hashing)
    }
}
