//! Resolves the command line into a validated configuration: reads lists and files, and refuses what is
//! wrong or contradictory before anything is fetched.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::{env, error};

use anyhow::{Context as _, anyhow, bail};
use http_concurrent::client::{
    BadLines, Compression, Destination, Downgrade, Durability, ExistingFile, Hashing, InputEntry,
    InputList, JobError, JobProblem, Layout, NameSource, OutputDirectory, PartialFile, Plan,
    Proxies, RequestFields, RetryPolicy, SaveSettings, Settings, Timeouts, Trust, plan, read_list,
    redacted_field, redacted_path,
};

use crate::args::Args;
use crate::checksums;

/// Bad URLs reported one by one; the rest is counted.
const BAD_URLS_NAMED: usize = 10;

/// Everything that a run needs, validated.
pub(crate) struct Config {
    pub(crate) plan: Plan,
    pub(crate) directory: OutputDirectory,
    pub(crate) settings: Settings,
}

impl Config {
    /// Checks everything that can be checked before the first request.
    ///
    /// # Errors
    /// A list or file cannot be read, a URL or option is invalid, or the directory cannot be made.
    pub(crate) fn resolve(args: &Args) -> anyhow::Result<Self> {
        let settings = settings(args)?;
        let list = wanted(args)?;
        // Before the directory is made, so that an error leaves none behind.
        let checksums = args.checksum_file.as_deref().map(checksums::read).transpose()?;
        let layout = if args.keep_paths { Layout::Mirrored } else { Layout::Flat };
        // With --discard nothing is written, so no directory is made.
        let output = if args.lab.discard { env::temp_dir() } else { args.output.clone() };
        let mut plan = plan(list.entries, layout, settings.saving.existing, &output);
        plan.errors.extend(list.bad_lines);
        plan.errors.sort_by_key(|error| error.line);
        if !args.skip_bad_urls {
            refuse(&plan.errors)?;
        }
        plan.jobs.iter().try_for_each(|job| settings.proxies.check(&job.url))?;
        let directory = OutputDirectory::prepare(output)
            .map_err(|error| with_advice(error, "choose another directory with -o"))?;
        for error in &plan.errors {
            log::warn!("skipping {:#}", describe(error));
        }
        if let (Some(list), Some(path)) = (&checksums, &args.checksum_file) {
            checksums::apply(list, path, &mut plan, &directory)?;
        }
        if plan.duplicates > 0 && !args.quiet {
            let count = plan.duplicates;
            let which = if count == 1 { "URL was" } else { "URLs were" };
            log::warn!("{count} {which} given more than once, and fetched once");
        }
        Ok(Self { plan, directory, settings })
    }
}

fn settings(args: &Args) -> anyhow::Result<Settings> {
    let mut fields = RequestFields::default();
    for field in &args.header {
        fields
            .add(field)
            .with_context(|| format!("cannot send the header \"{}\"", redacted_field(field)))?;
    }
    if let Some(name) = &args.user_agent {
        fields.set_user_agent(name).context("cannot send the user agent")?;
    }
    let trust = match &args.cacert {
        Some(path) => Trust::from_file(path)
            .map_err(|error| with_advice(error, "choose another file with --cacert"))?,
        None if args.insecure => {
            log::warn!("--insecure: certificates are not verified");
            Trust::any_certificate()
        }
        None => Trust::system(),
    };
    let proxies = Proxies::from_variables(|name| env::var(name).ok());
    let defaults = Settings::default();
    Ok(Settings {
        concurrency: args.concurrency.unwrap_or(defaults.concurrency.max(args.split)),
        per_host: args.max_per_host,
        split: args.split,
        timeouts: Timeouts {
            connect: args.connect_timeout,
            silence: args.timeout,
            total: args.max_time,
        },
        retry: RetryPolicy {
            retries: args.retries,
            max_wait: args.max_wait,
            ..RetryPolicy::default()
        },
        fields,
        compression: if args.compressed { Compression::Asked } else { Compression::NotAsked },
        downgrade: if args.allow_downgrade { Downgrade::Allow } else { Downgrade::Refuse },
        trust,
        proxies,
        saving: saving(args),
    })
}

fn saving(args: &Args) -> SaveSettings {
    SaveSettings {
        destination: if args.lab.discard { Destination::Discard } else { Destination::File },
        existing: match (args.skip_existing, args.no_clobber) {
            (true, _) => ExistingFile::Skip,
            (_, true) => ExistingFile::Number,
            _ => ExistingFile::Replace,
        },
        partial: if args.no_continue { PartialFile::Discard } else { PartialFile::Continue },
        durability: if args.fsync { Durability::Disk } else { Durability::System },
        naming: if args.content_disposition { NameSource::Server } else { NameSource::Url },
        hashing: if args.sha256 { Hashing::Sha256 } else { Hashing::WhenNeeded },
    }
}

/// The URLs of the command line, followed by those of the list.
fn wanted(args: &Args) -> anyhow::Result<InputList> {
    let mut list = match &args.input_file {
        Some(path) => read(path, args).with_context(|| redacted_path(path))?,
        None => InputList::default(),
    };
    list.entries.splice(..0, args.urls.iter().map(InputEntry::url));
    if list.entries.is_empty() && list.bad_lines.is_empty() {
        bail!("the list has no URL: write one per line");
    }
    Ok(list)
}

fn read(path: &Path, args: &Args) -> anyhow::Result<InputList> {
    let bad_lines = if args.skip_bad_urls { BadLines::Skip } else { BadLines::Refuse };
    if path == Path::new("-") {
        return Ok(read_list(io::stdin().lock(), bad_lines)?);
    }
    let file = File::open(path).context("cannot open the list")?;
    Ok(read_list(BufReader::new(file), bad_lines)?)
}

/// Reports all invalid URLs and lines together.
fn refuse(errors: &[JobError]) -> anyhow::Result<()> {
    let mut messages: Vec<_> =
        errors.iter().take(BAD_URLS_NAMED).map(|error| format!("{:#}", describe(error))).collect();
    if errors.len() > BAD_URLS_NAMED {
        messages.push(format!("and {} more", errors.len() - BAD_URLS_NAMED));
    }
    match errors.iter().any(|error| error.line.is_some()) {
        _ if errors.is_empty() => Ok(()),
        true => bail!(
            "{}\nnothing was fetched (use --skip-bad-urls to fetch the other URLs)",
            messages.join("\n")
        ),
        false => bail!("{}", messages.join("\n")),
    }
}

/// The error with advice in terms of the command line.
fn describe(error: &JobError) -> anyhow::Error {
    let advice = match &error.problem {
        JobProblem::Malformed(_) => "write it in full, such as http://localhost:20001/file1.txt",
        JobProblem::Scheme(_) => "write a URL that begins with http:// or https://",
        JobProblem::Zone(_) => "write %25 and the name of an interface that `ip link` lists",
        JobProblem::Name(_) => "write a name without .. and without a slash at either end",
        JobProblem::SeveralUrls if error.line.is_some() => "write one URL per line",
        JobProblem::SeveralUrls => "write each URL as a separate argument",
        JobProblem::Blank => "write %20 for a blank in a URL, and a tab before a file name",
        JobProblem::NotText(_) => "write the list in one encoding, or such bytes as %XX",
        JobProblem::LongLine => "write one URL per line",
    };
    with_advice(error.clone(), advice)
}

fn with_advice(error: impl error::Error + Send + Sync + 'static, advice: &str) -> anyhow::Error {
    anyhow!("{:#} ({advice})", anyhow::Error::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let settings = settings(&Args::parse_line("client -urls http://a/")).unwrap();
        let defaults = Settings::default();
        assert_eq!(settings.concurrency, defaults.concurrency);
        assert_eq!(settings.timeouts, defaults.timeouts);
        assert_eq!(settings.retry, defaults.retry);
        assert_eq!(settings.saving, defaults.saving);
        assert_eq!(settings.downgrade, defaults.downgrade);
        assert_eq!(settings.fields, defaults.fields);
    }

    #[test]
    fn the_last_of_two_contradicting_options_wins() {
        for (options, partial) in [
            ("--no-continue", PartialFile::Discard),
            ("--continue", PartialFile::Continue),
            ("--no-continue --continue", PartialFile::Continue),
            ("--continue --no-continue", PartialFile::Discard),
        ] {
            let args = Args::parse_line(&format!("client -urls http://a/ {options}"));
            assert_eq!(saving(&args).partial, partial, "{options}");
        }
    }
}
