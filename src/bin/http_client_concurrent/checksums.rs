//! Reads `--checksum-file`, and warns of lines and files that are not verified.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, bail};
use http_concurrent::client::{ChecksumList, OutputDirectory, Plan, UnknownLine, redacted_path};

/// Bad lines reported one by one; the rest is counted.
const BAD_LINES_NAMED: usize = 10;

/// Reads the list, and warns of the lines it skips.
pub(crate) fn read(path: &Path) -> anyhow::Result<ChecksumList> {
    let shown = redacted_path(path);
    let file = File::open(path).with_context(|| format!("cannot read the checksums in {shown}"))?;
    let list = ChecksumList::read(BufReader::new(file)).with_context(|| shown.clone())?;
    for UnknownLine { number, beginning } in list.bad_lines.iter().take(BAD_LINES_NAMED) {
        let beginning = beginning.escape_debug();
        log::warn!("skipping line {number} of {shown}, which is not a checksum: \"{beginning}\"");
    }
    if list.bad_lines.len() > BAD_LINES_NAMED {
        let more = list.bad_lines.len() - BAD_LINES_NAMED;
        log::warn!("skipping {more} more lines of {shown}, which are not checksums");
    }
    if !list.unsupported.is_empty() {
        let counts: Vec<_> = list
            .unsupported
            .iter()
            .map(|(algorithm, count)| format!("{count} {algorithm}"))
            .collect();
        log::warn!(
            "skipping lines of {shown} by other algorithms than SHA-1, SHA-256 and SHA-512: {}",
            counts.join(", ")
        );
    }
    if list.is_signed {
        log::warn!("the PGP signature of {shown} is not verified (use gpg --verify)");
    }
    Ok(list)
}

/// Attaches the checksums to the jobs of the plan, and warns of files without one.
pub(crate) fn apply(
    list: &ChecksumList,
    path: &Path,
    plan: &mut Plan,
    directory: &OutputDirectory,
) -> anyhow::Result<()> {
    let (verified, all, path) = (plan.expect_checksums(list), plan.jobs.len(), redacted_path(path));
    if let Some(line) = list.nameless_line()
        && (all != 1 || list.of_only_file().is_none())
    {
        log::warn!("skipping line {line} of {path}, which names no file");
    }
    if verified == 0 {
        bail!(
            "{path} has no usable checksum for any file of this run (names in the list must be those of \
             the files in {})",
            redacted_path(directory.path())
        );
    }
    if verified < all {
        let missing = all - verified;
        log::warn!("{missing} of {all} files have no checksum in {path}, and are not verified");
    }
    Ok(())
}
