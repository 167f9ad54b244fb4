//! Fetches URLs with the client's library into a temporary directory.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use http_concurrent::client::{
    ExistingFile, FetchError, InputEntry, Job, Layout, OutputDirectory, RetryPolicy, Run, Settings,
    Silent, Stop, Timeouts, download, plan,
};
use tempfile::TempDir;

use super::PATIENCE;
use super::parts::{part_path, without_hash};
use super::scripted::Scripted;

/// The outcome of a run, and its directory.
pub(crate) struct Fetched {
    pub(crate) run: Run,
    pub(crate) directory: TempDir,
}

impl Fetched {
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.directory.path().join(name)).unwrap()
    }

    /// The content of a part.
    pub(crate) fn part(&self, name: &str) -> Vec<u8> {
        fs::read(part_path(self.directory.path(), name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names_in(self.directory.path())
    }

    /// The error of the only URL; no file may remain.
    #[track_caller]
    pub(crate) fn into_failure(mut self) -> FetchError {
        assert_eq!(self.names(), [""; 0], "a failure leaves no file");
        let outcome = self.run.outcomes.remove(0);
        outcome.result.expect_err("it was not to be fetched")
    }

    #[track_caller]
    pub(crate) fn assert_success(&self) {
        for outcome in &self.run.outcomes {
            assert!(outcome.result.is_ok(), "{outcome:?}");
        }
    }
}

/// The names in the directory; those of parts and notes without hashes.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| without_hash(entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    names
}

/// No retries, so that a test sees the first failure, and long timeouts.
pub(crate) fn settings(concurrency: usize) -> Settings {
    Settings {
        timeouts: Timeouts { connect: PATIENCE, silence: PATIENCE, total: None },
        concurrency: NonZeroUsize::new(concurrency).unwrap(),
        retry: RetryPolicy { retries: 0, ..RetryPolicy::default() },
        ..Settings::default()
    }
}

pub(crate) fn plan_all(urls: &[String], directory: &OutputDirectory) -> Vec<Job> {
    let wanted = urls.iter().map(InputEntry::url);
    let plan = plan(wanted, Layout::Flat, ExistingFile::Replace, directory.path());
    assert_eq!(plan.errors, []);
    plan.jobs
}

pub(crate) fn fetch_with(settings: &Settings, urls: &[String]) -> Fetched {
    fetch_into(tempfile::tempdir().unwrap(), settings, urls)
}

/// Fetches into a directory that may have files already.
pub(crate) fn fetch_into(directory: TempDir, settings: &Settings, urls: &[String]) -> Fetched {
    fetch_stopping(directory, settings, urls, &Stop::default())
}

/// Fetches until it is stopped.
pub(crate) fn fetch_stopping(
    directory: TempDir,
    settings: &Settings,
    urls: &[String],
    stop: &Stop,
) -> Fetched {
    let output = OutputDirectory::prepare(directory.path()).unwrap();
    let jobs = plan_all(urls, &output);
    let run = download(&jobs, &output, settings, stop, &Silent).unwrap();
    Fetched { run, directory }
}

pub(crate) fn fetch(concurrency: usize, urls: &[String]) -> Fetched {
    fetch_with(&settings(concurrency), urls)
}

/// Fetches one URL from a server that answers each request with these bytes and then closes.
pub(crate) fn fetch_once(bytes: impl Into<Vec<u8>>) -> Fetched {
    let bytes = bytes.into();
    let server = Scripted::start(move |peer| {
        peer.read_request();
        peer.send(&bytes);
    });
    fetch(1, &[server.url("/file")])
}
