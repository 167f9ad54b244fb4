//! The name that a complete file gets: the planned one, the server's, or the next one that is free.
//!
//! A server's name is known only with its response, so it is reserved here, by one worker at a time. Names
//! of other jobs are never taken.

use std::sync::Mutex;

use super::candidate::{Candidate, OnConflict};
use super::directory::OutputDirectory;
use super::directory_snapshot::DirectorySnapshot;
use crate::client::error::FetchError;
use crate::client::plan::job::Job;
use crate::client::plan::reserved_names::ReservedNames;
use crate::client::plan::url_name;
use crate::client::settings::{ExistingFile, NameSource, SaveSettings};
use crate::http::Fields;
use crate::http::content_disposition::suggested_name;
use crate::lock::lock;

/// The final names of the files of one run.
#[derive(Debug)]
pub(crate) struct FinalNames<'r> {
    directory: &'r OutputDirectory,
    directory_snapshot: &'r DirectorySnapshot,
    saving: SaveSettings,
    names: Mutex<ReservedNames>,
}

/// The paths that are tried for one file, in order.
#[derive(Debug)]
pub(crate) struct Candidates<'n> {
    names: &'n FinalNames<'n>,
    /// The planned name, until it is tried.
    first: Option<String>,
    wanted: String,
    on_conflict: OnConflict,
}

impl<'r> FinalNames<'r> {
    pub(crate) fn new(
        jobs: &[Job],
        directory: &'r OutputDirectory,
        directory_snapshot: &'r DirectorySnapshot,
        saving: SaveSettings,
    ) -> Self {
        let mut names = ReservedNames::default();
        // Otherwise no names are reserved during the run.
        if saving.naming == NameSource::Server || saving.existing == ExistingFile::Number {
            for job in jobs {
                names.reserve(&job.file_name);
            }
        }
        Self { directory, directory_snapshot, saving, names: Mutex::new(names) }
    }

    /// The paths for a job's file after a response with these fields.
    pub(crate) fn candidates(&self, job: &Job, fields: &Fields<'_>) -> Candidates<'_> {
        if let Some(wanted) = self.suggested(job, fields).filter(|name| *name != job.file_name) {
            // A server must not choose which file is replaced.
            return Candidates {
                names: self,
                first: None,
                wanted,
                on_conflict: OnConflict::TryNext,
            };
        }
        self.planned_candidates(job)
    }

    /// The paths for a job's file, without the name that its server suggests.
    pub(crate) fn planned_candidates(&self, job: &Job) -> Candidates<'_> {
        let wanted = job.file_name.clone();
        let on_conflict = match self.saving.existing {
            ExistingFile::Replace => OnConflict::Replace,
            // A file that is fetched although it exists has the wrong checksum.
            ExistingFile::Skip if job.checksum.is_some() => OnConflict::Replace,
            ExistingFile::Skip | ExistingFile::Number => OnConflict::TryNext,
        };
        Candidates { names: self, first: Some(wanted.clone()), wanted, on_conflict }
    }

    fn suggested(&self, job: &Job, fields: &Fields<'_>) -> Option<String> {
        if self.saving.naming == NameSource::Url || job.is_name_chosen {
            return None;
        }
        let name = url_name::from_server(&suggested_name(fields.only("Content-Disposition")?)?)?;
        Some(match job.file_name.rsplit_once('/') {
            Some((directory, _)) => format!("{directory}/{name}"),
            None => name,
        })
    }
}

impl Candidates<'_> {
    /// The next path to try.
    pub(crate) fn next(&mut self) -> Result<Candidate, FetchError> {
        let FinalNames { directory, directory_snapshot, names, .. } = self.names;
        let on_conflict = self.on_conflict;
        let name = self.first.take().unwrap_or_else(|| {
            let is_there = |name: &str| {
                on_conflict == OnConflict::TryNext
                    && directory.path().join(name).symlink_metadata().is_ok()
            };
            lock(names).claim(&self.wanted, is_there)
        });
        let target = directory.target_path(&name)?;
        let is_likely_taken = directory_snapshot.has(&name).unwrap_or_else(|| !target.is_free());
        Ok(Candidate { target, on_conflict, is_likely_taken })
    }
}
