//! Experiments: how much faster are concurrent fetches, from this server, with these files?
//!
//! | module | |
//! |---|---|
//! | [`schedule`] | which levels of concurrency are run, and how often |
//! | [`experiment`] | runs them with an [`Executor`](experiment::Executor) and collects the records |
//! | `executor` | [`DownloadExecutor`]: the executor that uses the client |
//! | [`measurement`] | the record of a run |
//! | [`processor`] | processor times, and what the processors are |
//! | [`agreement`] | checks that all runs fetched the same |
//! | [`ceiling`] | the highest speedup that the fetch times allow |
//! | [`statistics`], [`interval`] | medians and spreads, the exact interval of a median; numbers only |
//! | [`scaling`], [`laws`], [`fitting`] | the knee of a curve, the laws that describe it; numbers only |
//! | [`findings`] | computes all figures and sentences of a report, once |
//! | [`report`] | renders the findings as text, JSON and HTML |

pub mod agreement;
pub mod ceiling;
mod executor;
pub mod experiment;
pub mod figures;
pub mod findings;
pub mod fitting;
pub mod interval;
pub mod laws;
pub mod measurement;
pub mod processor;
pub mod report;
pub mod scaling;
pub mod schedule;
pub mod statistics;

pub use executor::DownloadExecutor;

#[cfg(test)]
mod synthetic;
