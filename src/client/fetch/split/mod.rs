//! A large file that several connections fetch: which piece each of them receives.

mod pieces;
pub(super) mod split_file;
pub(crate) mod split_files;
