//! Accepting connections: the listening socket, the accept loop, and the budget of file descriptors.

pub(super) mod descriptors;
pub(super) mod listener;
