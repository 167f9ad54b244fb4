//! Experiments over a simulated network and with simulated noise, with their findings and renderings, and as a
//! program over real sockets.

mod coverage;
mod drift;
mod noise;
mod program;
mod recomputed;
pub(crate) mod report;
pub(crate) mod simulation;
mod situations;
