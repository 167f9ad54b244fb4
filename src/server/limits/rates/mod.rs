//! Rates that are shared evenly: a client's by its connections, the server's by its clients.
//!
//! ```text
//! fair_queue   whose turn it is, for how many bytes, and when: without clock and threads
//! shared_rate  a queue in which threads wait for their turn
//! client_rate  what is known of a client's rate
//! ```

pub(super) mod client_rate;
mod fair_queue;
pub(crate) mod shared_rate;
