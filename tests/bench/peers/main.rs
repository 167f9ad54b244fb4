//! This package's programs beside others of their kind, in interleaved rounds.
//!
//! `cargo bench --bench peers` measures all rows, in less than 10 minutes, and prints for each the figures of
//! every program, their ratios in the same round, and whether the row's targets are reached. `-- --only ROW`
//! measures one row, `-- --json` prints JSON, `-- --help` lists the rest.
//!
//! A peer that is not installed is reported and left out. Nothing asserts a figure: a target that is missed
//! is reported, and the exit status is 0.

mod connection;
mod flood;
mod idle;
mod latency;
mod machine;
mod options;
mod report;
mod rounds;
mod row;
mod rows;
#[allow(dead_code, reason = "the servers are shared with benches that use more of them")]
mod servers;
mod site;
mod start;
mod statistics;
mod throughput;
mod wrk;
mod wrk_report;

use std::time::Instant;

use clap::Parser as _;

use options::Options;
use report::Report;
use row::Setting;
use servers::program::Program;
use site::Site;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let interrupted = rounds::Interrupted::on_signals()?;
    machine::use_two_processors()?;
    for missing in servers::PROGRAMS.iter().filter_map(|program| program.find().err()) {
        eprintln!("left out: {missing}");
    }
    let site = Site::new()?;
    let setting =
        Setting { site: &site, rounds: options.runs, seconds: options.seconds, interrupted };
    let mut report = Report::new(&options);
    let begun = Instant::now();
    for row in options.rows() {
        row.needs.iter().try_for_each(|program: &&Program| program.find().map(drop))?;
        eprintln!("{:>4.0} s  {}: {}", begun.elapsed().as_secs_f64(), row.id, row.title);
        let measured = (row.measure)(&setting)?;
        let section = report.add(row, &measured);
        if !options.json {
            println!("{section}");
        }
    }
    if options.json {
        println!("{}", report.to_json()?);
    }
    eprintln!("{:>4.0} s in all", begun.elapsed().as_secs_f64());
    Ok(())
}
