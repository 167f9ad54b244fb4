//! The thresholds that several rules share.

/// The fraction from which one part counts as most of the whole: one file of a run, the best schedule of the
/// run that it explains.
pub(super) const DOMINANT: f64 = 0.8;
/// The slowdown of the fetches, compared with the sequential run, from which a shared resource counts as
/// saturated: a run that takes 1/[`DOMINANT`] of its best schedule has such fetches, or gaps between them.
pub(super) const SLOWDOWN: f64 = 1.2;
