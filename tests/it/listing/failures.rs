//! A listing with entries that cannot be read: the rest is complete.

use rustix::process::Signal;

use crate::support::bindfs::Bound;
use crate::support::program::ServerProgram;

#[test]
#[ignore = "needs bindfs"]
fn an_entry_on_a_dead_mount_is_listed_without_size_and_time_and_logged_once() {
    let mut bound = Bound::mount(&[]);
    std::fs::write(bound.root().join("a.txt"), "Hello").unwrap();
    bound.kill();
    let server = ServerProgram::start(bound.root(), &["-p", "0"]);
    let mut conversation = server.connect_from(1);
    let list = |form: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nAccept: {form}\r\n\r\n");
    let plain = conversation.send(list("text/plain")).reply();
    let mut lines: Vec<_> = plain.text().lines().collect();
    lines.sort_unstable();
    assert_eq!((plain.status, &lines[..]), (200, &["a.txt", "original/", "shown/"][..]));
    let json = conversation.send(list("application/json")).reply();
    let json: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    for entry in json["entries"].as_array().unwrap() {
        let (is_dead, is_file) = (entry["name"] == "shown", entry["name"] == "a.txt");
        assert_eq!(entry.get("modified").is_none(), is_dead, "{entry}");
        assert_eq!(entry.get("size").is_some(), is_file, "{entry}");
    }
    let page = conversation.send(list("text/html")).reply();
    assert!(page.text().contains("href=\"shown/\""), "{}", page.text());
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    assert_eq!(log.matches("listed without size and time").count(), 1, "{log}");
    assert!(log.contains("/shown: "), "{log}");
}
