//! Files on the disk: written to a part, which gets its name when it is whole.

pub(super) mod directory;
pub(super) mod final_name;
pub(super) mod hasher;
pub(super) mod part;
pub(super) mod part_notes;
pub(super) mod part_paths;
