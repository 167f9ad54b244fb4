//! Synthetic runs for unit tests.

use std::time::Duration;

use super::measurement::{Ending, FetchRecord, RunRecord};
use crate::client::{LearntLimit, Phases};

/// A run of `urls` fetches that took `each` and are distributed over the lanes in turn.
pub(super) fn synthetic_run(concurrency: usize, urls: u32, each: Duration) -> RunRecord {
    let lanes = u32::try_from(concurrency).expect("tests have few lanes");
    let fetches: Vec<FetchRecord> = (0..urls)
        .map(|index| {
            let start = each * (index / lanes);
            let phases = Phases {
                queue: start,
                first_byte: each / 4,
                transfer: each * 3 / 4,
                ..Phases::default()
            };
            FetchRecord {
                url: format!("http://files.test/{index}").into(),
                bytes: 1024,
                ending: Ending::Complete(200),
                digest: Some(format!("digest of {index}")),
                lane: (index % lanes) as usize,
                start,
                phases,
                attempts: 1,
                rejections: 0,
            }
        })
        .collect();
    let wall = each * urls.div_ceil(lanes);
    RunRecord::new(concurrency, wall, fetches)
}

/// A run of fetches that take these seconds, each on the first lane that is free.
pub(super) fn scheduled_run(concurrency: usize, seconds: &[f64]) -> RunRecord {
    let urls = u32::try_from(seconds.len()).expect("tests have few files");
    let mut run = synthetic_run(concurrency, urls, Duration::ZERO);
    let mut free = vec![Duration::ZERO; concurrency];
    for (fetch, seconds) in run.fetches.iter_mut().zip(seconds) {
        fetch.lane = (0..concurrency).min_by_key(|&lane| free[lane]).expect("there are lanes");
        fetch.start = free[fetch.lane];
        fetch.phases.queue = fetch.start;
        fetch.phases.transfer = Duration::from_secs_f64(*seconds);
        free[fetch.lane] += fetch.phases.transfer;
    }
    run.wall = free.into_iter().max().expect("there are lanes");
    run
}

/// A host that accepts this many connections.
pub(super) fn limited_host(connections: usize) -> LearntLimit {
    LearntLimit {
        host: "http://files.test".to_owned(),
        connections,
        rejections: 0,
        cost: Duration::ZERO,
        is_advertised: true,
    }
}
