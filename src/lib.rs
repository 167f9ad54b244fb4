#![forbid(unsafe_code)]

pub mod cli;
pub mod http;
pub mod net;
pub mod server;
