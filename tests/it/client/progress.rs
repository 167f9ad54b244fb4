//! The progress bars on a terminal.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::client::program;
use crate::support::scripted::{Scripted, answer, ok};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

#[test]
fn a_terminal_shows_a_bar_for_all_and_for_each_transfer_which_leave_only_the_messages() {
    let may_end = Arc::new(AtomicBool::new(false));
    let released = Arc::clone(&may_end);
    let server = Scripted::start(move |peer| {
        while let Some(target) = peer.read_request() {
            match &*target {
                "/gone" => peer.send(answer("404 Not Found", "", "")),
                "/quick" => peer.send(ok("quick")),
                _ => {
                    let whole = ok(vec![b'x'; 1 << 20]);
                    let (begin, rest) = whole.split_at(1 << 19);
                    peer.send(begin);
                    wait_until("the response may continue", || released.load(Ordering::SeqCst));
                    peer.send(rest);
                }
            }
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let urls = ["/gone", "/quick", "/first", "/second"].map(|path| server.url(path));
    let mut terminal = Terminal::open();
    let mut command = program();
    command
        .arg("-urls")
        .args(&urls)
        .current_dir(directory.path())
        .env("TERM", "xterm")
        .stdout(Stdio::null())
        .stderr(terminal.stdio());
    let mut child = command.spawn().unwrap();
    // The command holds the terminal's other side as well.
    drop(command);
    wait_until("two transfers are shown below a message and above the total", || {
        let lines = terminal.lines();
        let [message, transfers @ .., all] = &lines[..] else { return false };
        let names: Vec<_> = transfers.iter().map(|line| line.split(' ').next().unwrap()).collect();
        message.contains("404 Not Found")
            && (names == ["first", "second"] || names == ["second", "first"])
            && transfers.iter().all(|line| line.contains("/1.00 MiB "))
            && all.contains("2/4 files, ")
    });
    may_end.store(true, Ordering::SeqCst);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let lines = terminal.last_lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&format!("{}: the server answered 404", urls[0])), "{lines:?}");
}
