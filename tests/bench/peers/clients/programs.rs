//! The programs that download, with the command line that suits each best.
//!
//! All have the same number of connections, print no progress, read no configuration and no environment, and
//! replace files that are there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::servers::program::Program;

pub(crate) const CURL: Program = Program { name: "curl", install: "apt-get install curl" };
const ARIA2: Program = Program { name: "aria2c", install: "apt-get install aria2" };
const WGET2: Program = Program { name: "wget2", install: "apt-get install wget2" };

/// The programs of the peers.
pub(crate) const PROGRAMS: [&Program; 3] = [&CURL, &ARIA2, &WGET2];

/// A program that is installed.
pub(crate) struct Client {
    pub(crate) name: &'static str,
    /// 100,000 files take it several times as long as this package's client.
    pub(crate) is_slow: bool,
    path: PathBuf,
    add_arguments: fn(&mut Command, &Task<'_>),
}

/// What is downloaded, into the current directory.
pub(crate) struct Task<'a> {
    pub(crate) connections: &'a str,
    /// One URL on each line.
    pub(crate) urls: &'a Path,
    /// The same URLs as a configuration of curl.
    pub(crate) curl_configuration: &'a Path,
}

impl Client {
    /// A command that is not yet started.
    pub(crate) fn command(&self, task: &Task<'_>) -> Command {
        let mut command = Command::new(&self.path);
        // Such as `http_proxy`.
        command.env_clear();
        (self.add_arguments)(&mut command, task);
        command
    }
}

/// Ours, and the peers that are installed.
pub(crate) fn installed() -> Vec<Client> {
    let ours = Client {
        name: "http_client_concurrent",
        is_slow: false,
        path: env!("CARGO_BIN_EXE_http_client_concurrent").into(),
        add_arguments: |command, task| {
            command.args(["-q", "-c", task.connections, "-o", ".", "-i"]).arg(task.urls);
        },
    };
    let peer = |program: Program, is_slow, add_arguments| {
        let path = program.find().ok()?;
        Some(Client { name: program.name, is_slow, path, add_arguments })
    };
    let peers = [
        peer(CURL, false, |command, task| {
            command.args(["-q", "-sS", "--no-progress-meter", "-Z", "--parallel-max"]);
            command.args([task.connections, "-K"]).arg(task.curl_configuration);
        }),
        peer(ARIA2, true, |command, task| {
            command.args(["--no-conf", "-q", "--file-allocation=none", "--allow-overwrite=true"]);
            // No control file for each download, and the list is read in pieces: less time, less memory.
            command.args(["--auto-save-interval=0", "--deferred-input=true", "-x1", "-s1"]);
            command.args(["-j", task.connections, "-i"]).arg(task.urls);
        }),
        peer(WGET2, false, |command, task| {
            command.args(["--no-config", "--no-hsts", "--no-ocsp", "--no-xattr", "-q"]);
            // Without -N it would keep a file that is there, and number the new one.
            command.args(["-N", "--max-threads", task.connections, "-i"]).arg(task.urls);
        }),
    ];
    std::iter::once(ours).chain(peers.into_iter().flatten()).collect()
}
