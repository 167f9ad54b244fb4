//! The command line, parsed. Parsing does nothing else: `config` checks the arguments against files and the
//! environment, and turns them into settings.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, CommandFactory, FromArgMatches, Parser};
use http_concurrent::cli;

use crate::lab_args::LabArgs;
use crate::usage;

/// Downloads URLs concurrently and reports the speedup over fetching them one after the other.
#[derive(Debug, Parser)]
#[command(
    name = "http_client_concurrent",
    version,
    max_term_width = 100,
    override_usage = "http_client_concurrent [OPTIONS] -urls URL...\n       \
        http_client_concurrent [OPTIONS] -i FILE\n       \
        http_client_concurrent [OPTIONS] --demo",
    group(ArgGroup::new("sources").args(["urls", "input_file", "demo"]).multiple(true).required(true)),
    after_help = "Long options take one dash or two: -urls. A TIME is a number with ms, s, m \
        or h, such as 1.5s.\n\
        http_proxy, https_proxy, all_proxy and no_proxy are used as in curl. RUST_LOG overrides -q and \
        -v.\n\
        The exit status is 0 if every URL was saved completely, 1 if any was not, 2 if the command line \
        (or a list it names) cannot be used, and 130 if the run was interrupted \
        (SIGINT, SIGTERM, or SIGHUP unless it was ignored, as under nohup).\n\n\
        Examples:\n  \
        http_client_concurrent -urls http://host/a.txt http://host/b.txt -c 10\n  \
        http_client_concurrent -i list.txt -o downloads --failed-list failed.txt\n  \
        http_client_concurrent -i list.txt -c 10 --compare --report speedup.html"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// URLs to download; each file is named after the last part of its path
    #[arg(long, num_args = 1.., value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// Read URLs from a file, one per line, optionally with a tab and a file name, or a blank, # and a
    /// comment; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input_file: Option<PathBuf>,

    /// Skip invalid URLs and unreadable lines instead of fetching nothing
    #[arg(long)]
    pub(crate) skip_bad_urls: bool,

    /// Directory for the files; created, with its parents, if it does not exist
    #[arg(short, long, default_value = "downloads", value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// Connections at a time [default: 5, or the value of --split]
    #[arg(short, long, value_name = "N", value_parser = cli::parse_count, help_heading = "Connections")]
    pub(crate) concurrency: Option<NonZeroUsize>,

    /// Connections to one host, at most
    #[arg(long, value_name = "N", value_parser = cli::parse_count, help_heading = "Connections")]
    pub(crate) max_per_host: Option<NonZeroUsize>,

    /// Connections for one file of at least 2 MiB
    #[arg(long, default_value = "1", value_name = "N", help_heading = "Connections")]
    #[arg(value_parser = cli::parse_count)]
    pub(crate) split: NonZeroUsize,

    /// Time limit for the name lookup, the connection and the TLS handshake, each
    #[arg(long, default_value = "10s", value_name = "TIME", help_heading = "Connections")]
    #[arg(value_parser = cli::parse_positive_duration)]
    pub(crate) connect_timeout: Duration,

    /// Time limit for a wait during which no byte arrives
    #[arg(long, default_value = "30s", value_name = "TIME", help_heading = "Connections")]
    #[arg(value_parser = cli::parse_positive_duration)]
    pub(crate) timeout: Duration,

    /// Time limit for the whole run
    #[arg(long, value_name = "TIME", help_heading = "Connections")]
    #[arg(value_parser = cli::parse_positive_duration)]
    pub(crate) max_time: Option<Duration>,

    /// Attempts after the first, for failures that may pass
    #[arg(long, default_value = "4", value_name = "N", help_heading = "Connections")]
    pub(crate) retries: u32,

    /// Longest Retry-After to wait for; a URL told to wait longer fails at once
    #[arg(long, default_value = "60s", value_name = "TIME", help_heading = "Connections")]
    #[arg(value_parser = cli::parse_duration)]
    pub(crate) max_wait: Duration,

    /// Trust only the certificates in this PEM file: authorities, or a server's own
    #[arg(long, value_name = "FILE", help_heading = "Security")]
    pub(crate) cacert: Option<PathBuf>,

    /// Trust every certificate
    #[arg(long, conflicts_with = "cacert", help_heading = "Security")]
    pub(crate) insecure: bool,

    /// Follow redirects from https to http
    #[arg(long, help_heading = "Security")]
    pub(crate) allow_downgrade: bool,

    /// Send this field with every request, such as "Accept-Language: en"
    #[arg(short = 'H', long, value_name = "FIELD", help_heading = "Requests")]
    pub(crate) header: Vec<String>,

    /// User-Agent to send
    #[arg(short = 'A', long, value_name = "NAME", help_heading = "Requests")]
    pub(crate) user_agent: Option<String>,

    /// Ask for compressed content (gzip, deflate, br, zstd), which is decoded before it is saved
    #[arg(long, help_heading = "Requests")]
    pub(crate) compressed: bool,

    /// Put each file beneath directories that mirror its host and path
    #[arg(long, help_heading = "Files")]
    pub(crate) keep_paths: bool,

    /// Use the file name that the server suggests; if it is taken, the new file is numbered
    #[arg(long, help_heading = "Files")]
    pub(crate) content_disposition: bool,

    /// Skip URLs whose files exist already
    #[arg(long, conflicts_with = "no_clobber", help_heading = "Files")]
    pub(crate) skip_existing: bool,

    /// Keep existing files, and number the new ones
    #[arg(long, help_heading = "Files")]
    pub(crate) no_clobber: bool,

    /// Continue partial files of earlier runs (the default)
    #[arg(long = "continue", overrides_with = "no_continue", help_heading = "Files")]
    pub(crate) go_on: bool,

    /// Neither continue nor keep partial files
    #[arg(long, overrides_with = "go_on", help_heading = "Files")]
    pub(crate) no_continue: bool,

    /// Call fsync on each file before it is reported as saved
    #[arg(long, help_heading = "Files")]
    pub(crate) fsync: bool,

    /// Verify the files against a list of SHA-1, SHA-256 or SHA-512 checksums, as written by sha256sum,
    /// openssl dgst and the BSDs; the strongest checksum of a file counts
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    pub(crate) checksum_file: Option<PathBuf>,

    /// Print the SHA-256 of each file
    #[arg(long, help_heading = "Files")]
    pub(crate) sha256: bool,

    /// Print where the time of each URL went
    #[arg(long, help_heading = "Output")]
    pub(crate) timings: bool,

    /// Write everything about the run or the experiment as JSON; - is standard output, instead of the
    /// report
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) json: Option<PathBuf>,

    /// Write an HTTP Archive for the developer tools of browsers; - as for --json
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) har: Option<PathBuf>,

    /// Write the failures as a list for --input-file; - as for --json
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) failed_list: Option<PathBuf>,

    /// Print only failures
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Log more; twice for still more
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet", help_heading = "Output")]
    pub(crate) verbose: u8,

    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

impl Args {
    /// Parses the program's arguments. For --help, --version and errors it prints the text and exits.
    pub(crate) fn from_command_line() -> Self {
        let arguments: Vec<_> = std::env::args_os().collect();
        Self::read(&arguments).unwrap_or_else(|error| error.exit())
    }

    /// Parses these arguments; the first is the program's name.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let with_dashes = cli::long_options_with_one_dash(&command, arguments.iter().cloned());
        command
            .try_get_matches_from_mut(with_dashes)
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| usage::without_secrets(error, arguments))
    }

    pub(crate) fn log_level(&self) -> log::LevelFilter {
        cli::log_level(self.quiet, self.verbose, log::LevelFilter::Warn)
    }

    /// Parses a command line for a test; words are separated by spaces.
    #[cfg(test)]
    pub(crate) fn parse_line(line: &str) -> Self {
        let words: Vec<_> = line.split(' ').map(Into::into).collect();
        Self::read(&words).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_accepts_the_definition_of_the_command_line() {
        Args::command().debug_assert();
    }

    #[test]
    fn options_are_taken_with_one_dash_or_two_a_space_or_an_equals_sign() {
        for line in [
            "client -urls http://a/1 http://a/2 -o dir -c 10 -timeout 1.5s",
            "client --urls http://a/1 http://a/2 --output dir --concurrency 10 --timeout 1500ms",
            "client -urls=http://a/1 --urls=http://a/2 -output=dir -concurrency=10 -timeout=1.5",
            "client -odir -c10 -timeout 1.5s -urls http://a/1 -urls http://a/2",
        ] {
            let args = Args::parse_line(line);
            assert_eq!(args.urls, ["http://a/1", "http://a/2"], "{line}");
            assert_eq!(args.output, PathBuf::from("dir"), "{line}");
            assert_eq!(args.concurrency.map(NonZeroUsize::get), Some(10), "{line}");
            assert_eq!(args.timeout, Duration::from_millis(1500), "{line}");
        }
    }

    #[test]
    fn quiet_and_verbose_set_the_log_level() {
        for (options, level) in [
            ("", log::LevelFilter::Warn),
            (" -vv", log::LevelFilter::Debug),
            (" -q", log::LevelFilter::Error),
        ] {
            let args = Args::parse_line(&format!("client -urls http://a/{options}"));
            assert_eq!(args.log_level(), level);
        }
    }
}
