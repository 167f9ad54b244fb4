//! Broken and hostile TLS servers: each fetch ends in time with a message that names the problem, and a file
//! is saved only if all of its content provably arrived.

mod chains;
mod content;
mod downgrades;
mod handshakes;
mod names;

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::support::certificates::Identity;
use crate::support::client::{program, stderr, stdout};
use crate::support::fetching::names_in;
use crate::support::wait_for_exit;

/// The output and the directory of a run.
struct Fetched {
    output: Output,
    directory: tempfile::TempDir,
}

/// Fetches a URL, trusting only these certificates, without retries unless `more` asks for them.
fn fetch(url: &str, trusted: &[&Identity], more: &[&str]) -> Fetched {
    let mut command = program();
    if !more.contains(&"--retries") {
        command.args(["--retries", "0"]);
    }
    command.args(more);
    run(command, url, trusted)
}

fn run(mut command: Command, url: &str, trusted: &[&Identity]) -> Fetched {
    let directory = tempfile::tempdir().unwrap();
    let authorities = directory.path().join("authorities.pem");
    fs::write(&authorities, trusted.iter().map(|(it, _)| it.pem()).collect::<String>()).unwrap();
    let mut child = command
        .args(["-urls", url, "--cacert", "authorities.pem"])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_exit(&mut child);
    Fetched { output: child.wait_with_output().unwrap(), directory }
}

impl Fetched {
    fn printed(&self) -> String {
        stdout(&self.output) + &stderr(&self.output)
    }

    /// The names of all files, complete or not.
    fn names(&self) -> Vec<String> {
        names_in(&self.directory.path().join("downloads"))
    }

    #[track_caller]
    fn assert_whole(&self, content: &[u8], what: &str) {
        assert_eq!(self.output.status.code(), Some(0), "{what}: {}", self.printed());
        let file = fs::read(self.directory.path().join("downloads/file")).unwrap();
        assert!(file == content, "{what}: {} bytes", file.len());
    }

    /// Asserts that the fetch failed for this reason and saved no file.
    #[track_caller]
    fn assert_refused(&self, reason: &str, what: &str) {
        let printed = self.printed();
        assert_eq!(self.output.status.code(), Some(1), "{what}: {printed}");
        assert!(printed.contains(reason), "{what}: {reason:?} is not in {printed}");
        assert!(!self.names().contains(&"file".to_owned()), "{what}: {printed}");
    }
}
