//! The files that a run leaves beside its downloads: JSON, an HTTP Archive, the list of what failed. One
//! of them may have the standard output instead, in the place of the report.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use http_concurrent::client::{
    Job, OutputDirectory, Run, redacted_path, redacted_url, write_har, write_json,
};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::args::Args;

/// Those that were asked for, each with its option.
fn wanted(args: &Args) -> impl Iterator<Item = (&'static str, &Path)> {
    [("--json", &args.json), ("--har", &args.har), ("--failed-list", &args.failed_list)]
        .into_iter()
        .filter_map(|(option, path)| Some((option, path.as_deref()?)))
}

/// Makes sure that they can be written, rather than fetch for hours first, and that none of them is to be
/// in the place of a URL's file or of another one, which it would replace.
pub(crate) fn check(args: &Args, jobs: &[Job], directory: &OutputDirectory) -> anyhow::Result<()> {
    let on_stdout: Vec<_> =
        wanted(args).filter(|(_, path)| is_stdout(path)).map(|(option, _)| option).collect();
    if on_stdout.len() > 1 {
        bail!("only one of {} can have the standard output: name a file", on_stdout.join(" and "));
    }
    let mut others: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in wanted(args) {
        let Some(place) = place_of(path) else { continue };
        if let Some((other, _)) = others.iter().find(|(_, taken)| *taken == place) {
            bail!("{other} and {option} name the same file: choose another one");
        }
        let is_there = |job: &&Job| {
            let file = directory.path().join(&job.file_name);
            file.file_name() == place.file_name() && parent_of(&file) == parent_of(&place)
        };
        if let Some(job) = jobs.iter().find(is_there) {
            let (path, url) = (redacted_path(path), redacted_url(&job.url));
            bail!("{path} is where {url} is to be saved (choose another file with {option})");
        }
        others.push((option, place));
    }
    wanted(args).try_for_each(|(option, path)| check_file(path, option))
}

/// Where a regular file is or will be; `None` of anything else.
fn place_of(path: &Path) -> Option<PathBuf> {
    match path.canonicalize() {
        _ if is_stdout(path) => None,
        Ok(there) => there.is_file().then_some(there),
        Err(_) => Some(parent_of(path)?.join(path.file_name()?)),
    }
}

/// The directory that a file is in, without links.
fn parent_of(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    if parent == Path::new("") { Path::new(".") } else { parent }.canonicalize().ok()
}

/// Makes sure that a file can be written. What is there stays until there is something to replace it; a
/// FIFO or a device is not tried, as whoever reads it would take that for all there is.
pub(crate) fn check_file(path: &Path, option: &str) -> anyhow::Result<()> {
    let is_special = path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir());
    if !is_stdout(path) && !is_special {
        OpenOptions::new().append(true).create(true).open(path).with_context(|| {
            format!("cannot write {} (choose another file with {option})", redacted_path(path))
        })?;
    }
    Ok(())
}

/// Writes those that were asked for.
pub(crate) fn write(args: &Args, jobs: &[Job], run: &Run, interrupted: bool) -> anyhow::Result<()> {
    for (option, path) in wanted(args) {
        let document = |out: &mut dyn Write| match option {
            "--json" => write_json(out, jobs, run, interrupted),
            "--har" => write_har(out, jobs, run),
            _ => write_failed(out, jobs, run),
        };
        let written = if is_stdout(path) {
            write_to_stdout(document)
        } else {
            File::create(path).and_then(|mut file| document(&mut file))
        };
        written.with_context(|| format!("cannot write {}", redacted_path(path)))?;
    }
    Ok(())
}

/// Writes to the standard output. That nobody reads on, as the pipe's other end was closed or the terminal
/// hung up, is no failure: the files are there.
pub(crate) fn write_to_stdout(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = write(&mut stdout).and_then(|()| stdout.flush());
    let is_device = || {
        let stat = fstat(&stdout);
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice)
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        // How a terminal that hung up answers; of a file it is a failure of the disk.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) && is_device() => Ok(()),
        written => written,
    }
}

/// One of them has the standard output to itself.
pub(crate) fn have_stdout(args: &Args) -> bool {
    wanted(args).any(|(_, path)| is_stdout(path))
}

pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// A list that `--input-file` takes, so that a run can be repeated for what it lacks under the names
/// that it had. A user name and password are not in it.
fn write_failed(out: impl Write, jobs: &[Job], run: &Run) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for (job, outcome) in jobs.iter().zip(&run.outcomes) {
        if outcome.result.is_err() {
            writeln!(out, "{}\t{}", redacted_url(&job.url), job.file_name)?;
        }
    }
    out.flush()
}
