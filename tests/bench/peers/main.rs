//! This package's programs beside others of their kind, in interleaved rounds.
//!
//! `cargo bench --bench peers` measures all rows, in less than 10 minutes, and prints for each the figures of
//! every program, their ratios in the same round, and whether the row's targets are reached. `-- --only ROW`
//! measures one row, `-- --json` prints JSON, `-- --help` lists the rest.
//!
//! A peer that is not installed is reported and left out, and a row that this machine cannot measure is skipped
//! with the reason. Nothing asserts a figure: a target that is missed is reported, and the exit status is 0. It
//! is 1 if a row failed, such as through a client that lost files.

#[path = "../certificate.rs"]
mod certificate;
mod clients;
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
mod tls;
mod wrk;
mod wrk_report;

use std::time::Instant;

use anyhow::ensure;
use clap::Parser as _;

use options::Options;
use report::Report;
use row::{Measured, Setting};
use site::Site;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let interrupted = rounds::Interrupted::on_signals()?;
    machine::use_two_processors()?;
    let peers = servers::PROGRAMS.iter().chain(&clients::PROGRAMS);
    for missing in peers.filter_map(|program| program.find().err()) {
        eprintln!("left out: {missing}");
    }
    let site = Site::new()?;
    let setting =
        Setting { site: &site, rounds: options.runs, seconds: options.seconds, interrupted };
    let mut report = Report::new(&options);
    let mut failed = Vec::new();
    if !options.json {
        println!("{}", report.heading());
    }
    let begun = Instant::now();
    for row in options.rows() {
        eprintln!("{:>4.0} s  {}: {}", begun.elapsed().as_secs_f64(), row.id, row.title);
        let measured = match row.needs.iter().find_map(|program| program.find().err()) {
            Some(missing) => Ok(Measured::skipped(&missing)),
            None => (row.measure)(&setting),
        };
        setting.interrupted.check()?;
        match measured {
            Ok(measured) => {
                let section = report.add(row, &measured);
                if !options.json {
                    println!("{section}");
                }
            }
            Err(error) => {
                eprintln!("{} failed: {error:#}", row.id);
                failed.push(row.id);
            }
        }
    }
    if options.json {
        println!("{}", report.to_json()?);
    }
    eprintln!("{:>4.0} s in all", begun.elapsed().as_secs_f64());
    ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    Ok(())
}
