//! Fetching for the sake of the fetching: content is received and, if that is wanted, hashed, but no file
//! is written. Experiments run so, where disks would only blur what the network does.

use std::time::Instant;

use super::coding::codings::Names;
use super::decoded::Decoded;
use super::fetcher::{Fetcher, Record};
use super::request::Asked;
use super::response_use::{Worth, length_of, worth};
use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::results::outcome::{Retrieval, Saved};
use crate::client::store::hasher::verify;
use crate::net::Body;

impl Fetcher<'_> {
    /// Fetches the job without saving it; the path is where it would have been.
    pub(super) fn fetch_and_discard(
        &mut self,
        index: usize,
        job: &Job,
        record: &mut Record,
    ) -> Result<Saved, FetchError> {
        let mut asked = self.asked_of(job, record);
        let (mut answer, framing, codings) = loop {
            let answer = self.follow(job, asked, record)?;
            let names = Names { job, redirected_to: record.redirected_to.as_deref() };
            match worth(&answer.head, None, (names, asked)) {
                Ok(Worth::Whole { framing, codings }) => break (answer, framing, codings),
                Ok(Worth::Anew) => {
                    self.exchanger.discard(answer);
                    asked = Asked::Plain;
                }
                // Nothing was there that could have been continued.
                Ok(_) => return Err(FetchError::UnexpectedRange),
                Err(error) => return Err(self.refused(answer, error)),
            }
        };
        let begun = Instant::now();
        let observer = self.work.observer;
        observer.content_started(index, length_of(framing).filter(|_| codings.is_empty()), 0);
        let (mut hasher, mut bytes) = (self.hasher(job), 0);
        let mut write = |piece: &[u8]| {
            hasher.update(piece);
            bytes += piece.len() as u64;
            Ok(())
        };
        if codings.is_empty() {
            let mut body = Body::of_response(framing);
            while let Some(piece) = self.exchanger.next_piece(&mut answer, &mut body)? {
                write(piece)?;
                record.received += piece.len() as u64;
                observer.received(index, piece.len());
            }
        } else {
            let mut sink = Decoded { index, record: &mut *record, observer, write };
            self.exchanger.receive_coded(&mut answer, (framing, codings), &mut sink)?;
        }
        let retrieval = Retrieval::Fetched { status: answer.head.status(), continued_from: 0 };
        self.exchanger.keep_if_persistent(answer, framing);
        record.phases.transfer += begun.elapsed();
        let checksums = hasher.finish();
        if let Some(expected) = &job.checksum {
            verify(expected, &checksums)?;
        }
        let path = self.work.directory.path().join(&job.file_name);
        Ok(Saved { path, bytes, retrieval, checksums })
    }
}
