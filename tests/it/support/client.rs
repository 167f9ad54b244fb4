//! The client as a program.

use std::path::Path;
use std::process::{Command, Output};

const CLIENT: &str = env!("CARGO_BIN_EXE_http_client_concurrent");

pub(crate) fn program() -> Command {
    without_settings(Command::new(CLIENT))
}

/// The client, started by another program such as nohup(1), whose arguments come first.
pub(crate) fn program_under(launcher: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(launcher);
    command.args(arguments).arg(CLIENT);
    without_settings(command)
}

/// Removes variables of the environment that would change the client.
fn without_settings(mut command: Command) -> Command {
    for name in [
        "RUST_LOG",
        "http_proxy",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn run(arguments: &[&str], directory: &Path) -> Output {
    program().args(arguments).current_dir(directory).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
