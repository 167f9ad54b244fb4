//! Sockets with deadlines: what the server and the client share above [`http`](crate::http).
//!
//! A read never waits without a bound, heads and bodies come out of one reused buffer, and the ways
//! in which a peer can go away have names. Who connects to whom, and what is said, is decided above.

mod body;
mod deadline;
mod descriptors;
mod input;
pub mod proxy_protocol;

pub use body::{Body, BodyError};
pub use deadline::{Deadline, ReadTimeout, is_disconnect, is_timeout};
pub use descriptors::raise_descriptor_limit;
pub use input::{HeadReadError, Input};
