//! Experiments over a simulated network, with their findings and renderings, and as a program over real
//! sockets.

mod program;
mod report;
mod simulation;
