//! The list of checksums that a run is verified against, and what is said of its lines.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, bail};
use http_concurrent::client::{ChecksumList, OutputDirectory, Plan, UnknownLine, redacted_path};

/// How many bad lines are named before the rest is only counted.
const BAD_LINES_NAMED: usize = 10;

/// Reads the list, and warns of what is left out.
pub(crate) fn read(path: &Path) -> anyhow::Result<ChecksumList> {
    let shown = redacted_path(path);
    let file = File::open(path).with_context(|| format!("cannot read the checksums in {shown}"))?;
    let list = ChecksumList::read(BufReader::new(file)).with_context(|| shown.clone())?;
    for UnknownLine { number, beginning } in list.bad_lines.iter().take(BAD_LINES_NAMED) {
        let beginning = beginning.escape_debug();
        log::warn!("line {number} of {shown} is no checksum, and is left out: \"{beginning}\"");
    }
    if list.bad_lines.len() > BAD_LINES_NAMED {
        log::warn!("and so are {} more lines", list.bad_lines.len() - BAD_LINES_NAMED);
    }
    if !list.unsupported.is_empty() {
        let counts: Vec<_> = list
            .unsupported
            .iter()
            .map(|(algorithm, count)| format!("{count} {algorithm}"))
            .collect();
        log::warn!(
            "lines of {shown} are left out, since only SHA-1, SHA-256 and SHA-512 are supported: {}",
            counts.join(", ")
        );
    }
    if list.is_signed {
        log::warn!("the PGP signature of {shown} is not verified (gpg --verify does so)");
    }
    Ok(list)
}

/// Has the files of the plan verified, and warns of those that are not.
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
        log::warn!("line {line} of {path} names no file, and is left out");
    }
    if verified == 0 {
        bail!(
            "no file of this run is named in {path} with a checksum that can be verified (the names \
             there are those of the files in {})",
            redacted_path(directory.path())
        );
    }
    if verified < all {
        let missing = all - verified;
        log::warn!("{missing} of {all} files are not named in {path}, and not verified");
    }
    Ok(())
}
