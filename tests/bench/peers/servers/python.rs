//! Python's server, which speaks HTTP/1.0 and closes every connection after its response.

use std::path::Path;
use std::process::{Command, Stdio};

use super::program::Program;
use super::{Place, Server, StartError};

pub(crate) const PROGRAM: Program = Program { name: "python3", install: "apt-get install python3" };
pub(crate) const NAME: &str = "python3 -m http.server";

pub(crate) fn start(root: &Path) -> Result<Server, StartError> {
    let program = PROGRAM.find()?;
    let place = Place::new(NAME)?;
    let mut command = Command::new(program);
    command
        .args(["-m", "http.server", &place.port.to_string(), "--bind", "127.0.0.1"])
        .arg("--directory")
        .arg(root)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Server::start(NAME, place, &mut command)
}
