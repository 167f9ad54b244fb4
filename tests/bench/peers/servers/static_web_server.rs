//! static-web-server, on Rust's hyper and tokio.

use std::path::Path;
use std::process::Command;

use super::program::Program;
use super::{Place, Server, StartError};

pub(crate) const PROGRAM: Program =
    Program { name: "static-web-server", install: "cargo install static-web-server" };
pub(crate) const NAME: &str = "static-web-server";

pub(crate) fn start(root: &Path) -> Result<Server, StartError> {
    let program = PROGRAM.find()?;
    let place = Place::new(NAME)?;
    let mut command = Command::new(program);
    // One worker thread for each processor.
    command
        .args(["--host", "127.0.0.1", "--port", &place.port.to_string()])
        .args(["--threads-multiplier", "1", "--log-level", "error"])
        .args(["--compression", "false", "--cache-control-headers", "false"])
        .arg("--root")
        .arg(root);
    Server::start(NAME, place, &mut command)
}
