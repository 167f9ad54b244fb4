//! Support for the tests: servers that end with their test, scripted servers, and raw connections.

pub(crate) mod bindfs;
pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod conversation;
pub(crate) mod fetching;
pub(crate) mod nginx;
pub(crate) mod openssl;
pub(crate) mod parts;
pub(crate) mod program;
pub(crate) mod ranged;
pub(crate) mod records;
pub(crate) mod scripted;
pub(crate) mod server;
pub(crate) mod site_certificate;
pub(crate) mod terminal;
pub(crate) mod tls;
pub(crate) mod wire;

use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for anything before it fails: far more than any passing test needs, so that a busy
/// machine fails none.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

const POLL: Duration = Duration::from_millis(2);

/// Runs a program under timeout(1), which kills it after [`PATIENCE`]; the caller adds its name and arguments.
pub(crate) fn with_patience() -> Command {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE.as_secs().to_string());
    command
}

/// Polls until the condition holds; panics after [`PATIENCE`].
#[track_caller]
pub(crate) fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    assert!(holds_in_time(condition), "timed out waiting until {what}");
}

/// Polls until the condition holds; false after [`PATIENCE`]. For callers that must clean up before they
/// fail.
pub(crate) fn holds_in_time(mut condition: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() >= PATIENCE {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// Waits until the child exits. After [`PATIENCE`] it is killed, and the test fails.
#[track_caller]
pub(crate) fn wait_for_exit(child: &mut Child) -> ExitStatus {
    if !holds_in_time(|| child.try_wait().unwrap().is_some()) {
        let _ = child.kill();
        let _ = child.wait();
        panic!("the program did not exit within {PATIENCE:?}");
    }
    child.wait().unwrap()
}
