//! Answers requests: a head in, a response out; no sockets.

pub(super) mod answer;
mod directory_response;
mod error_response;
pub(super) mod extra_fields;
mod fallback;
mod file_response;
pub(super) mod https_redirect;
pub(super) mod rate_limit_fields;
pub(super) mod rejection_response;
mod representation;
pub(super) mod response;
pub(super) mod status_response;
