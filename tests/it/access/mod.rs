//! Who is let in.

mod guessing;
mod networks;
mod passwords;
mod programs;
