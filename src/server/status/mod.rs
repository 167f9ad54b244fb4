//! The status of the server for its operator: counters, snapshots, and the forms of the status page.

pub(super) mod access;
pub(super) mod collect;
pub(super) mod counters;
pub(super) mod form;
mod html;
mod json;
mod prometheus;
pub(super) mod snapshot;
