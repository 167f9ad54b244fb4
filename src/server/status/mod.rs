//! What the operator sees of a running server: counters, a snapshot, and its forms.

pub(super) mod access;
pub(super) mod collect;
pub(super) mod counters;
pub(super) mod form;
mod html;
mod json;
mod prometheus;
pub(super) mod snapshot;
