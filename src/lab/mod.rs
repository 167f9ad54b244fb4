//! The experiment: what is gained by fetching concurrently, from this server, with these files?
//!
//! [`experiment`] runs the same URLs with different numbers of connections, interleaved, and records
//! what became of each fetch as [`measurement`] says. [`findings`] computes every figure once; [`report`]
//! renders them as text, JSON and one HTML page, which therefore show the same numbers. The arithmetic is
//! in [`statistics`] and [`scaling`], on plain numbers. How a URL is fetched is the affair of whoever
//! implements [`Executor`](experiment::Executor): the laboratory opens no socket and no file.

pub mod agreement;
pub mod experiment;
pub mod figures;
pub mod findings;
pub mod measurement;
pub mod random;
pub mod report;
pub mod scaling;
pub mod statistics;

#[cfg(test)]
mod scripted;
