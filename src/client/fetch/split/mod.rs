//! Splitting one large file over several connections.

pub(super) mod split_file;
pub(crate) mod split_files;
