//! Reading from sockets, for the server and the client.
//!
//! [`Deadline`] and [`ReadTimeout`] bound every read. [`Input`] and [`Body`] read heads and bodies from one
//! reused buffer. [`is_timeout`] and [`is_disconnect`] classify I/O errors. [`proxy_protocol`] parses the
//! header that a load balancer sends before a relayed connection.

mod body;
mod deadline;
mod descriptors;
mod input;
pub mod proxy_protocol;

pub use body::{Body, BodyError};
pub use deadline::{Deadline, ReadTimeout, is_disconnect, is_timeout};
pub use descriptors::raise_descriptor_limit;
pub use input::{HeadReadError, Input};
