//! The workload: which URLs were fetched, and how long their bodies are.

use serde::Serialize;

use super::super::figures::Bytes;
use super::super::measurement::RunRecord;

/// The URLs, and the lengths of their bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// The number of URLs.
    pub urls: usize,
    /// The distinct hosts, with their ports.
    pub hosts: Vec<String>,
    /// The length of all bodies together.
    pub total: Bytes,
    /// The length of the shortest body.
    pub smallest: Bytes,
    /// The length of the longest body.
    pub largest: Bytes,
}

impl Workload {
    /// The workload of a run. The lengths are those of complete bodies.
    pub(super) fn new(run: &RunRecord) -> Self {
        let complete = || run.fetches.iter().filter(|fetch| fetch.failure().is_none());
        let lengths = || complete().map(|fetch| fetch.bytes);
        let mut hosts: Vec<String> = Vec::new();
        for fetch in &run.fetches {
            let host = host(&fetch.url);
            if !hosts.iter().any(|known| known == host) {
                hosts.push(host.to_owned());
            }
        }
        Self {
            urls: run.fetches.len(),
            hosts,
            total: Bytes(lengths().sum()),
            smallest: Bytes(lengths().min().unwrap_or(0)),
            largest: Bytes(lengths().max().unwrap_or(0)),
        }
    }

    /// The lengths in words, in total and for each body.
    #[must_use]
    pub fn lengths(&self) -> String {
        let Self { total, smallest, largest, .. } = self;
        if smallest == largest {
            format!("{total} in all, {largest} each")
        } else {
            format!("{total} in all, {smallest} to {largest} each")
        }
    }
}

/// The authority of a URL; the whole text if it is not a URL.
fn host(url: &str) -> &str {
    let origin = origin(url);
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

/// The scheme and the authority of a URL; the whole text if it is not a URL.
pub(super) fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    &url[..end]
}
