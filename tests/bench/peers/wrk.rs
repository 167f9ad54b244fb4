//! Runs of `wrk`, with one thread.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::servers::program::Program;
use super::wrk_report::Counted;

pub(crate) const PROGRAM: Program = Program { name: "wrk", install: "apt-get install wrk" };

/// A run.
pub(crate) struct Load<'a> {
    pub(crate) url: &'a str,
    pub(crate) connections: u32,
    pub(crate) seconds: u32,
    /// One connection for each request.
    pub(crate) closes: bool,
    /// A Lua script that chooses the requests.
    pub(crate) script: Option<&'a Path>,
}

pub(crate) fn run(load: &Load<'_>) -> anyhow::Result<Counted> {
    let mut command = Command::new(PROGRAM.find()?);
    command.args(["-t1", "-c", &load.connections.to_string()]);
    command.args(["-d", &format!("{}s", load.seconds)]);
    if load.closes {
        command.args(["-H", "Connection: close"]);
    }
    if let Some(script) = load.script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(load.url).output().context("cannot run wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "wrk: {}: {text}{errors}", output.status);
    Counted::parse(&text).with_context(|| format!("wrk printed {text:?}"))
}
