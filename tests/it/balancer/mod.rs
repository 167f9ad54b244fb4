//! Several servers behind one balancer, run from the very texts of the README.

mod cluster;
mod failures;
mod haproxy;
mod kubernetes;
mod limits;
mod nginx;
mod pair;
mod readme;
mod requests;
mod timeouts;
mod tls;
