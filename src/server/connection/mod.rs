//! One connection, from its first byte to its close.

mod close_reason;
pub(super) mod lifecycle;
mod rate;
mod requests;
mod response;
mod send;
