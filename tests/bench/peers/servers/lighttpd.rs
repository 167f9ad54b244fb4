//! lighttpd, which trusts what it knows of a file for a second (`server.stat-cache-engine`).

use std::path::Path;
use std::process::Command;

use super::program::Program;
use super::{Place, Server, StartError, WORKERS};

pub(crate) const PROGRAM: Program =
    Program { name: "lighttpd", install: "apt-get install lighttpd" };
pub(crate) const NAME: &str = "lighttpd";

pub(crate) fn start(root: &Path) -> Result<Server, StartError> {
    let program = PROGRAM.find()?;
    let place = Place::new(NAME)?;
    // 65535 requests a connection is the most that it can count.
    let configuration = format!(
        "server.document-root = \"{root}\"\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
         server.max-worker = {WORKERS}\nserver.max-fds = 16384\nserver.listen-backlog = 4096\n\
         server.errorlog = \"{directory}/error.log\"\n\
         server.max-keep-alive-requests = 65535\nserver.network-backend = \"sendfile\"\n\
         mimetype.assign = ( \".txt\" => \"text/plain\" )\n",
        directory = place.path().display(),
        port = place.port,
        root = root.display(),
    );
    let path = place.write(NAME, &configuration)?;
    Server::start(NAME, place, Command::new(program).arg("-D").arg("-f").arg(path))
}
