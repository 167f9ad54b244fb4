//! The files that a run leaves beside its downloads: JSON, an HTTP Archive, the list of what failed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use http_concurrent::client::{Job, Run, write_har, write_json};

use crate::args::Args;

/// Writes those that were asked for.
pub(crate) fn write(args: &Args, jobs: &[Job], run: &Run, interrupted: bool) -> anyhow::Result<()> {
    if let Some(path) = &args.json {
        let written = if is_stdout(path) {
            match write_json(io::stdout().lock(), jobs, run, interrupted) {
                // Nobody reads on, but the files are there.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written,
            }
        } else {
            File::create(path).and_then(|file| write_json(file, jobs, run, interrupted))
        };
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &args.har {
        File::create(path)
            .and_then(|file| write_har(file, jobs, run))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &args.failed_list {
        File::create(path)
            .and_then(|file| write_failed(file, jobs, run))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The JSON has the standard output to itself.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// A list that `--input-file` takes, so that a run can be repeated for what it lacks under the names
/// that it had. A user name and password are not in it.
fn write_failed(file: File, jobs: &[Job], run: &Run) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    for (job, outcome) in jobs.iter().zip(&run.outcomes) {
        if outcome.result.is_err() {
            writeln!(out, "{}\t{}", job.url, job.file_name)?;
        }
    }
    out.flush()
}
