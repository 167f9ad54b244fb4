//! The command line.

use clap::Parser;
use clap::builder::PossibleValuesParser;

use super::row::Row;
use super::rows::ROWS;

/// Measures this package's programs beside others of their kind.
#[derive(Parser)]
#[command(name = "cargo bench --bench peers --")]
pub(crate) struct Options {
    /// Measure this row alone; may be repeated
    #[arg(long, value_name = "ROW", value_parser = PossibleValuesParser::new(ROWS.iter().map(|row| row.id)))]
    only: Vec<String>,
    /// Rounds of each row
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Seconds of each measurement under load
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
    /// Print JSON when all is measured
    #[arg(long)]
    pub(crate) json: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static Row> {
        let is_wanted =
            |row: &&Row| self.only.is_empty() || self.only.iter().any(|id| id == row.id);
        ROWS.iter().filter(is_wanted)
    }
}
