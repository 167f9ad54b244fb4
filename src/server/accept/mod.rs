//! From the port to a thread: the listening socket, the accept loop, and the budget of descriptors.

pub(super) mod descriptors;
pub(super) mod listener;
