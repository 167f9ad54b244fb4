//! What the tests stand on: servers that end with their test, servers that say what a test wants
//! them to, and conversations over raw sockets.

pub(crate) mod bindfs;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod conversation;
pub(crate) mod fetching;
pub(crate) mod openssl;
pub(crate) mod parts;
pub(crate) mod program;
pub(crate) mod ranged;
pub(crate) mod records;
pub(crate) mod scripted;
pub(crate) mod server;
pub(crate) mod terminal;
pub(crate) mod tls;

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: no test that passes waits so long, and none that does
/// may fail because the machine is busy with other things as well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// timeout(1), which ends the program whose words are added after so long.
pub(crate) fn with_patience() -> Command {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE.as_secs().to_string());
    command
}

/// Waits until the condition holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "it does not come to pass: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
