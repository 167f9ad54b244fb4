//! The server of this package.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Place, Server, StartError};

pub(crate) const NAME: &str = "http_server_conc";

/// Limits that are never reached.
pub(crate) const UNLIMITED: [&str; 6] =
    ["-maxclient", "4000", "-maxtotal", "8000", "-keep-alive-requests", "1000000000"];

pub(crate) fn start(root: &Path) -> Result<Server, StartError> {
    start_with(root, &UNLIMITED)
}

/// With its default limits.
pub(crate) fn start_stock(root: &Path) -> Result<Server, StartError> {
    start_with(root, &["-maxclient", "12", "-maxtotal", "60"])
}

/// Over TLS.
pub(crate) fn start_over_tls(
    root: &Path,
    certificate: &Path,
    key: &Path,
    options: &[&str],
) -> Result<Server, StartError> {
    let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
    let files = ["--tls-cert", &certificate, "--tls-key", &key];
    start_with(root, &[&files, options].concat()).map(Server::over_tls)
}

pub(crate) fn start_with(root: &Path, options: &[&str]) -> Result<Server, StartError> {
    let place = Place::new(NAME)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_http_server_conc"));
    command
        .args(["-q", "--bind", "127.0.0.1", "-p", &place.port.to_string()])
        .args(options)
        .arg("--root")
        .arg(root)
        .stdout(Stdio::null());
    Server::start(NAME, place, &mut command)
}
