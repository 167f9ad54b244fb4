//! The exit statuses of the client.

/// Some URL was not saved.
pub(crate) const FAILURE: u8 = 1;

/// The command line cannot be used; clap exits with the same status.
pub(crate) const USAGE: u8 = 2;

/// Interrupted; 128 plus the number of SIGINT, as shells report it.
pub(crate) const INTERRUPTED: u8 = 130;
