//! The experiment: what is gained by fetching concurrently, from this server, with these files?
//!
//! [`experiment`] runs the same URLs with different numbers of connections, interleaved, and records
//! what became of each fetch as [`measurement`] says. [`findings`] computes every figure once; [`report`]
//! renders them as text, JSON and one HTML page, which therefore show the same numbers. The arithmetic is
//! in [`statistics`] and [`scaling`], on plain numbers. How a URL is fetched is the affair of whoever
//! implements [`Executor`](experiment::Executor): [`Downloads`] has the client do it.

pub mod agreement;
mod executor;
pub mod experiment;
pub mod figures;
pub mod findings;
pub mod measurement;
mod processor;
pub mod random;
pub mod report;
pub mod scaling;
pub mod statistics;

pub use executor::Downloads;

#[cfg(test)]
mod scripted;
