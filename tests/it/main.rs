//! The two programs over real sockets and real files.

mod access;
mod accessibility;
mod archive;
mod balancer;
mod client;
mod conformance;
mod lab;
mod limits;
mod listing;
mod peers;
mod programs;
mod server;
mod structure;
mod support;
mod tls;
