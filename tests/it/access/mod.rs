//! Who is let in.

mod guessing;
mod networks;
pub(crate) mod passwords;
mod programs;
