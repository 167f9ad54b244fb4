//! Directories as tar archives.

mod programs;
mod transfer;
mod unreadable;
