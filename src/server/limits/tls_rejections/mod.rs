//! Rejections and denials over TLS, each in a thread of its own, within bounds.
//!
//! A handshake costs more than many requests, and whoever is over a limit must not take by it what the limit
//! protects. So there are bounds on how many of these connections there are, and how many of them have a thread, in
//! all and for each client; on how long each takes; and on what their handshakes use of a processor together. A
//! connection beyond the bounds is closed without a response.
//!
//! ```text
//! rejection ─▶ waits, up to 2 s ─▶ its thread: handshake, head, response, up to 2 s ─▶ lingering close
//!     └─ too many ─▶ closed ◀─ late ─┘                                       late ─▶ closed
//! ```

mod places;
mod processor_share;
pub(in crate::server) mod rejections;
