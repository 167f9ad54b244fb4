//! What every kind of attempt at a URL begins with: the request, and following its redirects.

use std::time::SystemTime;

use url::Url;

use super::chain::Chain;
use super::coding::Names;
use super::directory::OutputDirectory;
use super::error::FetchError;
use super::exchange::{Answer, Exchanger, asked_wait};
use super::hasher::Hasher;
use super::job::Job;
use super::naming::FinalNames;
use super::observer::Observer;
use super::outcome::Phases;
use super::request::Asked;
use super::settings::{Compression, MAX_REDIRECTS, Settings};
use super::split_files::SplitFiles;

/// What all fetches of a run have in common beside the network.
pub(super) struct Work<'r> {
    pub(super) settings: &'r Settings,
    pub(super) directory: &'r OutputDirectory,
    pub(super) names: FinalNames<'r>,
    pub(super) splits: SplitFiles,
    pub(super) observer: &'r dyn Observer,
}

/// Fetches one URL after another.
pub(super) struct Fetcher<'r> {
    pub(super) exchanger: Exchanger<'r>,
    pub(super) work: &'r Work<'r>,
}

/// What is noted of the attempts at one job.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) phases: Phases,
    pub(super) redirected_to: Option<Box<Url>>,
    /// Content that came over the network.
    pub(super) received: u64,
    /// The most of the file that was there at any time, of what these attempts brought or continued, and
    /// kept. A part that an earlier run left and none of them could continue is not in their way.
    pub(super) furthest_bytes: u64,
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
        Err(FetchError::Redirects)
    }

    /// Hashes a job's content as it comes.
    pub(super) fn hasher(&self, job: &Job) -> Hasher {
        Hasher::of(job.checksum.as_ref(), self.work.settings.saving.digest)
    }
}
