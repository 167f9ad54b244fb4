//! Files on the disk: content is written to a part, which is renamed when it is complete. A small file is
//! written when it is complete.

pub(super) mod candidate;
pub(super) mod directory;
pub(super) mod directory_snapshot;
pub(super) mod final_name;
pub(super) mod hasher;
pub(super) mod locked_file;
mod no_replace;
pub(super) mod part;
pub(super) mod part_notes;
pub(super) mod part_paths;
pub(super) mod validator;
mod whole_file;
