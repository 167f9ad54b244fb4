//! The client as a program.

use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_http_client_concurrent"));
    for name in ["RUST_LOG", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
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
