//! The findings as JSON.
//!
//! One object, whose fields are those of [`Findings`] under their own names, with `schema` before them.
//! The field's documentation is the schema's: every public field of the findings and of the records in
//! `drawn` is in it. The conventions:
//!
//! | what | how |
//! |---|---|
//! | times | seconds; three significant digits as shown elsewhere, but six decimals inside `drawn` |
//! | lengths | bytes |
//! | rates | bytes a second |
//! | intervals | `[low, high]` of 95 %, or `null` for a single pair |
//! | `verdict.kind` | `faster`, `slower`, `not_measurable`, `too_few_pairs`, or `refused` with its `reason` |
//! | `limit.cause` | `one_url`, `host_limit`, `waiting`, `too_small`, `processor`, `connecting`, `link`, `server`, `longest_file`, `connections`, `unclear` |
//! | `ending` | `{"complete": status}` or `{"failed": reason}` |
//! | what is not known or may not be claimed | `null` |
//!
//! A field may be added under the same [`SCHEMA`]; one that goes or changes its meaning changes the number.

use serde::Serialize;

use super::super::findings::Findings;
use crate::printable::{self, JsonLayout};

/// The name and version of the format.
pub const SCHEMA: &str = "http-concurrent-lab/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    findings: &'a Findings,
}

/// The findings as one JSON object, indented, with a line feed at its end.
#[must_use]
pub fn json(findings: &Findings) -> String {
    let document = Document { schema: SCHEMA, findings };
    printable::json(&document, JsonLayout::Indented) + "\n"
}
