//! What an operator sees of a running server: a page for people, JSON for programs, metrics for
//! Prometheus.
//!
//! Pure functions from a snapshot to text. Who may see it, and where it is found, is not decided
//! here.

pub(super) mod form;
mod html;
mod json;
mod prometheus;
