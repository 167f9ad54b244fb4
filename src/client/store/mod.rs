//! Files on the disk: content is written to a part, which is renamed when it is complete.

pub(super) mod directory;
pub(super) mod final_name;
pub(super) mod hasher;
pub(super) mod locked_file;
mod no_replace;
pub(super) mod part;
pub(super) mod part_notes;
pub(super) mod part_paths;
pub(super) mod validator;
