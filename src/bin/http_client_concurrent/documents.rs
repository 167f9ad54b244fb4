//! The documents of a run: JSON, an HTTP Archive, and the list of failures. One of them may go to standard
//! output, where it replaces the report. The paths of an experiment's results are checked here too.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use http_concurrent::client::{Job, Run, redacted_path, redacted_url, write_har, write_json};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::args::Args;

/// A document of a run.
#[derive(Clone, Copy, Debug)]
enum Document {
    Json,
    Har,
    FailedList,
}

impl Document {
    /// The option that requests it.
    fn option(self) -> &'static str {
        match self {
            Self::Json => "--json",
            Self::Har => "--har",
            Self::FailedList => "--failed-list",
        }
    }
}

/// The requested documents and their paths.
fn requested(args: &Args) -> impl Iterator<Item = (Document, &Path)> {
    [
        (Document::Json, &args.json),
        (Document::Har, &args.har),
        (Document::FailedList, &args.failed_list),
    ]
    .into_iter()
    .filter_map(|(document, path)| Some((document, path.as_deref()?)))
}

/// The options that name a file to write, and the paths: the documents, and the page of an experiment.
fn named(args: &Args) -> impl Iterator<Item = (&'static str, &Path)> {
    let page = args.lab.report_path().map(|path| ("--report", path));
    requested(args).map(|(document, path)| (document.option(), path)).chain(page)
}

/// Checks before the first request that the files can be written, and that none of them has the path of
/// another one or of the file of a URL in `directory`.
pub(crate) fn check(args: &Args, jobs: &[Job], directory: &Path) -> anyhow::Result<()> {
    let on_stdout: Vec<_> = requested(args)
        .filter(|(_, path)| is_stdout(path))
        .map(|(document, _)| document.option())
        .collect();
    if on_stdout.len() > 1 {
        bail!(
            "only one of {} can write to standard output: name a file for the others",
            on_stdout.join(" and ")
        );
    }
    let mut others: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in named(args) {
        let Some(place) = path_of(path) else { continue };
        if let Some((other, _)) = others.iter().find(|(_, taken)| *taken == place) {
            bail!("{other} and {option} name the same file: choose another one");
        }
        let is_at_path = |job: &&Job| {
            let file = directory.join(&job.file_name);
            file.file_name() == place.file_name() && parent_of(&file) == parent_of(&place)
        };
        if let Some(job) = jobs.iter().find(is_at_path) {
            let (path, url) = (redacted_path(path), redacted_url(&job.url));
            bail!("{path} is the file of {url} (choose another file with {option})");
        }
        others.push((option, place));
    }
    named(args).try_for_each(|(option, path)| check_file(path, option))
}

/// The canonical path of a regular file, existing or not; `None` for anything else.
fn path_of(path: &Path) -> Option<PathBuf> {
    match path.canonicalize() {
        _ if is_stdout(path) => None,
        Ok(there) => there.is_file().then_some(there),
        Err(_) => Some(parent_of(path)?.join(path.file_name()?)),
    }
}

/// The canonical path of the directory of a file.
fn parent_of(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    if parent == Path::new("") { Path::new(".") } else { parent }.canonicalize().ok()
}

/// Checks that a file can be written, without changing it. A FIFO or a device is not opened, as its reader
/// would then see an end of file.
fn check_file(path: &Path, option: &str) -> anyhow::Result<()> {
    let is_special = path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir());
    if !is_stdout(path) && !is_special {
        OpenOptions::new().append(true).create(true).open(path).with_context(|| {
            format!("cannot write {} (choose another file with {option})", redacted_path(path))
        })?;
    }
    Ok(())
}

/// Writes the requested documents.
pub(crate) fn write(args: &Args, jobs: &[Job], run: &Run, interrupted: bool) -> anyhow::Result<()> {
    for (document, path) in requested(args) {
        let write_document = |out: &mut dyn Write| match document {
            Document::Json => write_json(out, jobs, run, interrupted),
            Document::Har => write_har(out, jobs, run),
            Document::FailedList => write_failed(out, jobs, run),
        };
        let written = if is_stdout(path) {
            write_to_stdout(write_document)
        } else {
            File::create(path).and_then(|mut file| write_document(&mut file))
        };
        written.with_context(|| format!("cannot write {}", redacted_path(path)))?;
    }
    Ok(())
}

/// Writes to standard output. A closed pipe or a terminal that hung up is not an error: the downloads are
/// saved.
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
        // A terminal that hung up returns EIO; for a file EIO is a disk error.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) && is_device() => Ok(()),
        written => written,
    }
}

/// True if a document goes to standard output.
pub(crate) fn have_stdout(args: &Args) -> bool {
    requested(args).any(|(_, path)| is_stdout(path))
}

pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Writes the failed URLs as a list for `--input-file`, under the same names, without user names and
/// passwords.
fn write_failed(out: impl Write, jobs: &[Job], run: &Run) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for (job, outcome) in jobs.iter().zip(&run.outcomes) {
        if outcome.result.is_err() {
            writeln!(out, "{}\t{}", redacted_url(&job.url), job.file_name)?;
        }
    }
    out.flush()
}
