//! Renders the findings as JSON.
//!
//! The document is one object: `schema`, then the public fields of [`Findings`], which its
//! documentation describes. `verdict` is [`Findings::claim`], `limit` is [`Findings::bottleneck`], and `limit.cause`
//! is the kind of bottleneck. Conventions:
//!
//! | value | form |
//! |---|---|
//! | times | seconds; three significant digits, but to the nanosecond in `warm_up` and `rounds` |
//! | lengths | bytes |
//! | rates | bytes per second |
//! | intervals | `[low, high]`, or `null` for a single pair; `level` is the probability that they cover the truth |
//! | `verdict.kind` | `faster`, `slower`, `not_measurable`, `too_few_pairs`, or `refused` with its `reason` |
//! | `limit.cause` | `one_url`, `listen_queue`, `request_rate`, `host_limit`, `max_per_host`, `file_order`, `file_count`, `longest_file`, `connections`, `too_small`, `processor`, `other_load`, `waiting`, `connecting`, `link`, `server`, `proxy_or_server`, `disk`, `opening`, `unclear` |
//! | `comparison` | `with_one`, or `with_itself` for two equal sides, in which case `sequential` is the first |
//! | `curve.fit.law` | `amdahl`, `cap` or `universal`; `null` for `fit` if no law describes the curve |
//! | `ending` | `{"complete": status}` or `{"failed": reason}` |
//! | unknown figures, and figures of runs that cannot be compared | `null` |
//!
//! `warm_up` and `rounds` have all complete runs, with each fetch: everything else can be computed from them.
//! The first run of each round is the baseline; `summary` is the position of the run that is compared with it.
//! `pairs.measured` rounds are used. The n-th fetch of a run is that of `files[n]`. `order` is the run's position
//! in the experiment.
//!
//! Fields may be added under the same [`SCHEMA`]. Removing a field or changing its meaning changes the number.

use serde::Serialize;

use crate::lab::findings::Findings;
use crate::printable::{self, JsonLayout};

/// The name and version of the format.
pub const SCHEMA: &str = "http-concurrent-lab/2";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    findings: &'a Findings,
}

/// The depth to which the document is indented, so that a run, or a fetch, takes one line.
pub(super) const INDENTED_DEPTH: usize = 3;

/// Renders one JSON object and a line feed.
#[must_use]
pub fn json(findings: &Findings) -> String {
    let document = Document { schema: SCHEMA, findings };
    printable::json(&document, JsonLayout::IndentedTo(INDENTED_DEPTH)) + "\n"
}
