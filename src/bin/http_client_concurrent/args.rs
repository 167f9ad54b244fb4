//! The command line: what can be said, and what it means.
//!
//! Parsing does nothing. URLs and the output directory are checked by the library.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use http_concurrent::cli;
use http_concurrent::client::Settings;

/// Downloads URLs concurrently and reports the speedup over fetching them one after the other.
#[derive(Debug, Parser)]
#[command(
    name = "http_client_concurrent",
    version,
    after_help = "Long options may be written with one dash as well: -urls.\n\
        The exit status is 0 when every URL is there whole, 1 when any is not, and 2 when the \
        command line cannot be used.\n\
        RUST_LOG, when it is set, decides what is logged.\n\n\
        Example:\n  http_client_concurrent -urls http://localhost:20001/testfiles1/file1.txt \
        http://localhost:20001/testfiles1/file2.txt -o downloads -c 10"
)]
pub(crate) struct Args {
    /// What to download; each becomes a file named after the end of its path
    #[arg(long, required = true, num_args = 1.., value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// Where to put the files; made, with its parents, where it is not there
    #[arg(short, long, default_value = "downloads", value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// How many connections to use at a time
    #[arg(short, long, default_value = "5", value_name = "N", value_parser = parse_concurrency)]
    concurrency: NonZeroUsize,

    /// How long to wait for a connection, and then for each piece of an answer
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = cli::parse_positive_duration)]
    timeout: Duration,

    /// Print nothing but failures
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Log what is done; twice for more
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
}

impl Args {
    /// Reads the program's arguments; prints what was asked for or what is wrong, and exits, where
    /// they are not those of a download.
    pub(crate) fn from_command_line() -> Self {
        let mut command = Self::command();
        let arguments = cli::long_options_with_one_dash(&command, std::env::args_os());
        command
            .try_get_matches_from_mut(arguments)
            .and_then(|matches| Self::from_arg_matches(&matches))
            .unwrap_or_else(|error| error.exit())
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { concurrency: self.concurrency, timeout: self.timeout }
    }

    pub(crate) fn log_level(&self) -> log::LevelFilter {
        cli::log_level(self.quiet, self.verbose, log::LevelFilter::Warn)
    }
}

fn parse_concurrency(text: &str) -> Result<NonZeroUsize, String> {
    let number = cli::parse_positive(text)?;
    Ok(NonZeroUsize::new(number).expect("a positive number is not zero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Args {
        let words = line.split(' ').map(Into::into);
        let words = cli::long_options_with_one_dash(&Args::command(), words);
        Args::try_parse_from(words).unwrap()
    }

    #[test]
    fn the_command_line_is_one_that_clap_accepts() {
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
            let args = parse(line);
            assert_eq!(args.urls, ["http://a/1", "http://a/2"], "{line}");
            assert_eq!(args.output, PathBuf::from("dir"), "{line}");
            let settings = Settings {
                concurrency: NonZeroUsize::new(10).unwrap(),
                timeout: Duration::from_millis(1500),
            };
            assert_eq!(args.settings(), settings, "{line}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let args = parse("client -urls http://a/");
        assert_eq!(args.settings(), Settings::default());
        assert_eq!(args.output, PathBuf::from("downloads"));
        assert_eq!(args.log_level(), log::LevelFilter::Warn);
        assert_eq!(parse("client -urls http://a/ -vv").log_level(), log::LevelFilter::Debug);
        assert_eq!(parse("client -urls http://a/ -q").log_level(), log::LevelFilter::Error);
    }
}
