//! The laboratory: over a simulated network, with its findings and their renderings, and as a program over
//! real sockets.

mod program;
mod report;
mod simulation;
