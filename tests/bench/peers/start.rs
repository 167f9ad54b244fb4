//! From the start of a server's process to its first whole answer.

use std::net::Ipv4Addr;

use anyhow::ensure;

use super::connection::Connection;
use super::rounds::interleaved;
use super::row::{Figure, Measured, Setting};
use super::servers::{Start, nginx, ours};

pub(crate) const READY: &str = "ms to the first answer";

pub(crate) fn measure(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    let mut starts: Vec<(&'static str, Start)> = vec![(ours::NAME, ours::start)];
    if nginx::PROGRAM.find().is_ok() {
        starts.push((nginx::NAME, nginx::start));
    }
    let run = |(_, start): &mut (_, Start)| {
        let server = start(setting.site.root())?;
        let status = Connection::open(Ipv4Addr::LOCALHOST, server.address())?.get("14b.txt")?;
        ensure!(status == 200, "status {status}");
        Ok(vec![server.ready_after().as_secs_f64() * 1e3])
    };
    // A start takes milliseconds: more rounds cost nothing.
    let rounds = 4 * setting.rounds;
    let name = |(name, _): &(_, _)| *name;
    let contenders = interleaved(&mut starts, rounds, &setting.interrupted, name, run)?;
    Ok(Measured { figures: &[Figure { name: READY, digits: 2 }], contenders, notes: Vec::new() })
}
