//! One connection, from its admission to its close.

pub(super) mod admit;
mod archive;
mod close_reason;
mod deadline_stream;
pub(super) mod dispatch;
pub(super) mod lifecycle;
mod peek;
mod proxy_header;
mod rate;
mod request_reader;
mod requests;
mod response;
mod send;
pub(super) mod socket_options;
