//! The jobs of a run: lists of URLs and checksums, file names. All is decided before the first thread starts.

pub(super) mod checksum;
pub(super) mod checksum_list;
pub(super) mod input_list;
pub(super) mod job;
pub(super) mod job_error;
pub(super) mod part_name;
pub(super) mod reserved_names;
pub(super) mod text_lines;
pub(super) mod url_name;
