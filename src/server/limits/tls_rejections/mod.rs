//! Rejections and denials over TLS, each in a thread of its own, within bounds.
//!
//! A handshake costs more than many requests, and whoever is over a limit must not take by it what the limit
//! protects. So there are bounds on how many of these connections there are at a time, in all and for each client, on
//! how long each takes, and on what they use of a processor together. A connection beyond the bounds is closed without
//! a response.

mod places;
mod processor_share;
pub(in crate::server) mod rejections;
