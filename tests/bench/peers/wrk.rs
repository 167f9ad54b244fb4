//! Runs of `wrk`, with one thread.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::servers::program::Program;

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

/// What `wrk` reports.
#[derive(Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) requests: f64,
    pub(crate) requests_per_second: f64,
    /// Failed connections, and reads and writes that failed or timed out.
    pub(crate) socket_errors: u64,
    /// Responses with a status above 399.
    pub(crate) refused: u64,
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
    parse(&text).with_context(|| format!("wrk printed {text:?}"))
}

fn parse(text: &str) -> Option<Counted> {
    Some(Counted {
        requests: word_before(text, "requests in")?.parse().ok()?,
        requests_per_second: word_after(text, "Requests/sec:")?.parse().ok()?,
        socket_errors: match text.split_once("Socket errors:") {
            Some((_, rest)) => numbers(rest.lines().next()?).sum(),
            None => 0,
        },
        refused: match word_after(text, "Non-2xx or 3xx responses:") {
            Some(count) => count.parse().ok()?,
            None => 0,
        },
    })
}

fn word_before<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark)?.0.split_whitespace().next_back()
}

fn word_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark)?.1.split_whitespace().next()
}

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(|byte: char| !byte.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}
