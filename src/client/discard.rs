//! Fetching for the sake of the fetching: content is received and, if that is wanted, hashed, but no file
//! is written. Experiments run so, where disks would only blur what the network does.

use std::time::Instant;

use super::fetch::{Fetcher, Record, Worth, length_of, worth};
use super::{Arrival, FetchError, Job, Saved};
use crate::net::Body;

impl Fetcher<'_> {
    /// Fetches the job without saving it; the path is where it would have been.
    pub(super) fn fetch_and_discard(
        &mut self,
        index: usize,
        job: &Job,
        record: &mut Record,
    ) -> Result<Saved, FetchError> {
        let mut answer = self.follow(job, None, record)?;
        let framing = match worth(&answer.head, None) {
            Ok(Worth::Whole(framing)) => framing,
            // Nothing was there that could have been continued.
            Ok(_) => return Err(FetchError::Partial),
            Err(error) => return Err(self.refused(answer, error)),
        };
        let begun = Instant::now();
        self.work.observer.began(index, length_of(framing), 0);
        let mut hasher = self.hasher(job);
        let (mut body, mut bytes) = (Body::of_response(framing), 0);
        while let Some(piece) = self.exchanger.next_piece(&mut answer, &mut body)? {
            let length = piece.len();
            hasher.update(piece);
            bytes += length as u64;
            record.received += length as u64;
            self.work.observer.received(index, length);
        }
        let arrival = Arrival::Fetched { status: answer.head.status(), continued_from: 0 };
        self.exchanger.keep_if_persistent(answer, framing);
        record.phases.transfer += begun.elapsed();
        let checksums = hasher.finish();
        if let Some(expected) = &job.checksum {
            expected.verify(&checksums)?;
        }
        let path = self.work.directory.path().join(&job.file_name);
        Ok(Saved { path, bytes, arrival, checksums })
    }
}
