//! Who may hold a connection: admission, rejection, and closing what is not served.

pub(super) mod admission;
pub(super) mod client;
pub(super) mod connection_entry;
pub(super) mod lingering;
pub(super) mod phase;
pub(super) mod registry;
pub(super) mod rejection;
pub(super) mod rejection_log;
