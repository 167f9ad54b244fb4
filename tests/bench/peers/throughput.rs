//! Rows measured by `wrk`: requests per second, and processor time per request.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::rounds::interleaved;
use super::row::{Figure, Measured, Setting};
use super::servers::{self, Server, Start, StartError, nginx, ours};
use super::site::MANY;
use super::wrk;

pub(crate) const REQUESTS: &str = "requests/s";
pub(crate) const CPU: &str = "CPU µs/request";
pub(crate) const MEBIBYTES: &str = "MiB/s";
pub(crate) const CPU_PER_MEBIBYTE: &str = "CPU µs/MiB";

/// What `wrk` asks for.
#[derive(Clone, Copy)]
struct Load {
    path: &'static str,
    connections: u32,
    closes: bool,
}

/// 32 kept connections ask for one file.
pub(crate) fn kept(
    setting: &Setting<'_>,
    path: &'static str,
    peers: &[Start],
) -> anyhow::Result<Measured> {
    kept_from(setting, path, start(setting, peers)?)
}

/// The same from servers that run.
pub(crate) fn kept_from(
    setting: &Setting<'_>,
    path: &'static str,
    servers: Vec<Server>,
) -> anyhow::Result<Measured> {
    measure(setting, servers, Load { path, connections: 32, closes: false }, None)
}

/// One connection for each request, 32 at a time.
pub(crate) fn closed(
    setting: &Setting<'_>,
    path: &'static str,
    peers: &[Start],
) -> anyhow::Result<Measured> {
    let servers = start(setting, peers)?;
    measure(setting, servers, Load { path, connections: 32, closes: true }, None)
}

/// Four kept connections ask for a file of 10 MiB.
pub(crate) fn large(setting: &Setting<'_>, peers: &[Start]) -> anyhow::Result<Measured> {
    large_from(setting, start(setting, peers)?)
}

/// The same from servers that run.
pub(crate) fn large_from(setting: &Setting<'_>, servers: Vec<Server>) -> anyhow::Result<Measured> {
    const MEBIBYTES_EACH: f64 = 10.0;
    let load = Load { path: "10m.txt", connections: 4, closes: false };
    let mut measured = measure(setting, servers, load, None)?;
    measured.figures =
        &[Figure { name: MEBIBYTES, digits: 0 }, Figure { name: CPU_PER_MEBIBYTE, digits: 1 }];
    for round in measured.contenders.iter_mut().flat_map(|contender| &mut contender.rounds) {
        *round = vec![round[0] * MEBIBYTES_EACH, round[1] / MEBIBYTES_EACH];
    }
    Ok(measured)
}

/// 32 kept connections ask for 1,000 files in turn.
pub(crate) fn many(setting: &Setting<'_>, peers: &[Start]) -> anyhow::Result<Measured> {
    let directory = TempDir::with_prefix("peers-wrk-")?;
    let script = directory.path().join("many.lua");
    // Each request is made once, before the load begins.
    let lines = format!(
        "local requests, at = {{}}, 0\n\
         function init()\n  for number = 0, {last} do\n    \
         requests[number] = wrk.format(\"GET\", \"/many/\" .. number .. \".txt\")\n  end\nend\n\
         function request()\n  at = (at + 1) % {MANY}\n  return requests[at]\nend\n",
        last = MANY - 1,
    );
    fs::write(&script, lines)?;
    let servers = start(setting, peers)?;
    let load = Load { path: "", connections: 32, closes: false };
    measure(setting, servers, load, Some(&script))
}

/// 32 kept connections ask for 14 bytes; this server and nginx write an access log to a file.
pub(crate) fn with_access_log(setting: &Setting<'_>) -> anyhow::Result<Measured> {
    let directory = TempDir::with_prefix("peers-log-")?;
    let log = |name: &str| directory.path().join(name).display().to_string();
    let root = setting.site.root();
    let (ours_log, nginx_log) = (log("ours"), log("nginx"));
    let options = [&ours::UNLIMITED[..], &["--access-log", &ours_log]].concat();
    let server = format!("access_log {nginx_log} combined;");
    let lines = nginx::Lines { server: &server, ..nginx::Lines::default() };
    let servers = servers::installed([
        ours::start_with(root, &options),
        nginx::start_with(nginx::NAME, root, lines),
    ])?;
    let load = Load { path: "14b.txt", connections: 32, closes: false };
    measure(setting, servers, load, None)
}

fn start(setting: &Setting<'_>, peers: &[Start]) -> Result<Vec<Server>, StartError> {
    let root = setting.site.root();
    servers::installed([ours::start as Start].iter().chain(peers).map(|start| start(root)))
}

fn measure(
    setting: &Setting<'_>,
    mut servers: Vec<Server>,
    load: Load,
    script: Option<&Path>,
) -> anyhow::Result<Measured> {
    let mut notes = Vec::new();
    let run = |server: &mut Server| {
        let before = server.cpu_time();
        let counted = wrk::run(&wrk::Load {
            url: &server.url(load.path),
            connections: load.connections,
            seconds: setting.seconds,
            closes: load.closes,
            script,
        })?;
        let cpu = server.cpu_time().saturating_sub(before);
        if counted.refused > 0 || counted.socket_errors > 0 {
            notes.push(format!(
                "{}: {} responses with an error status and {} socket errors beside {} requests",
                server.name, counted.refused, counted.socket_errors, counted.requests
            ));
        }
        Ok(vec![counted.requests_per_second, cpu.as_secs_f64() * 1e6 / counted.requests])
    };
    let name = |server: &Server| server.name;
    let contenders = interleaved(&mut servers, setting.rounds, &setting.interrupted, name, run)?;
    let figures = &[Figure { name: REQUESTS, digits: 0 }, Figure { name: CPU, digits: 1 }];
    Ok(Measured { figures, contenders, notes })
}
