//! Builds [`Fields`] for unit tests.

use super::fields::{FieldTable, Fields};

/// Calls `ask` with the fields in `lines`, which are field lines without line endings.
pub(crate) fn with_fields<T>(lines: &[&str], ask: impl FnOnce(&Fields<'_>) -> T) -> T {
    let section: String = lines.iter().flat_map(|line| [line, "\r\n"]).chain(["\r\n"]).collect();
    let mut table = FieldTable::default();
    table.parse(section.as_bytes(), 0).expect("a test's lines are valid fields");
    ask(&table.over(section.as_bytes()))
}
