//! The command line of an experiment: what is compared, how often, and where the result goes.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::ArgGroup;
use http_concurrent::cli;

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, clap::Args)]
#[command(
    next_help_heading = "Measure the speedup",
    group(ArgGroup::new("experiment").args(["compare", "sweep", "null", "demo"]).multiple(true))
)]
pub(crate) struct LabArgs {
    /// Fetch the URLs with one connection and with -c of them, in turns, and report the speedup
    #[arg(long)]
    pub(crate) compare: bool,

    /// The same with each of these numbers of connections, such as 1,2,4,8,16 or auto
    #[arg(long, value_name = "N,N…", value_parser = parse_levels)]
    pub(crate) sweep: Option<Sweep>,

    /// Compare -c connections with as many: shows how much equal runs differ on this machine
    #[arg(long, conflicts_with_all = ["sweep", "demo"])]
    pub(crate) null: bool,

    /// Run the whole experiment against a server inside this program; needs nothing else
    #[arg(long, conflicts_with_all = ["urls", "input_file", "compare", "sweep", "discard"])]
    #[arg(conflicts_with_all = ["output", "concurrency"])]
    pub(crate) demo: bool,

    /// Runs of each, after one that does not count; an odd number is raised by one [default: 6, and 8 or
    /// more with --sweep and --demo]
    #[arg(long, value_name = "N", value_parser = cli::parse_count, requires = "experiment")]
    pub(crate) runs: Option<NonZeroUsize>,

    /// Write no files: read and hash the content
    #[arg(long, requires = "experiment")]
    pub(crate) discard: bool,

    /// Write the result as one self-contained page [default with --demo: speedup-report.html]
    #[arg(long, value_name = "FILE.html", requires = "experiment")]
    pub(crate) report: Option<PathBuf>,
}

/// The numbers of connections to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// Doubling up to the number of URLs.
    Automatic,
    Levels(Vec<usize>),
}

impl LabArgs {
    /// True for an experiment with the user's URLs.
    pub(crate) fn is_comparison(&self) -> bool {
        self.compare || self.sweep.is_some() || self.null
    }

    /// The file for the page, if one is wanted.
    pub(crate) fn report_path(&self) -> Option<&Path> {
        let default = self.demo.then_some(Path::new("speedup-report.html"));
        self.report.as_deref().or(default)
    }
}

fn parse_levels(text: &str) -> Result<Sweep, String> {
    if text == "auto" {
        return Ok(Sweep::Automatic);
    }
    let levels: Vec<usize> =
        text.split(',').map(cli::parse_positive).collect::<Result<_, _>>().map_err(|_| {
            "write whole numbers of at least 1 with commas between them, such as 1,2,4,8, or auto"
                .to_owned()
        })?;
    if levels.iter().all(|level| *level == 1) {
        return Err("one of the numbers must be at least 2".to_owned());
    }
    Ok(Sweep::Levels(levels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_whole_numbers_of_which_one_is_above_1() {
        let levels = |levels: &[usize]| Ok(Sweep::Levels(levels.to_vec()));
        for (text, expected) in [
            ("auto", Ok(Sweep::Automatic)),
            ("1,2,4", levels(&[1, 2, 4])),
            ("8", levels(&[8])),
            ("1", Err(())),
            ("1,1", Err(())),
            ("", Err(())),
            ("1,,2", Err(())),
            ("0,2", Err(())),
            ("2;4", Err(())),
        ] {
            assert_eq!(parse_levels(text).map_err(|_| ()), expected, "{text:?}");
        }
    }
}
