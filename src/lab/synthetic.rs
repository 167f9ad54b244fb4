//! Synthetic runs for unit tests.

use std::time::Duration;

use super::measurement::{Ending, FetchRecord, MachineCpu, RunRecord};
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

/// Processors that were busy for this share of a second.
pub(super) fn machine_cpu(utilisation: f64) -> MachineCpu {
    MachineCpu { busy: Duration::from_secs_f64(utilisation), total: Duration::from_secs(1) }
}
