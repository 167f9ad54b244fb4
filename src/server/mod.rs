//! The server.

pub mod site;
