//! The laboratory over a simulated network: the experiment, its findings and their three renderings.

mod report;
mod simulation;
