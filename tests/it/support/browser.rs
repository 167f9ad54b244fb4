//! Chromium without a window.

use serde_json::Value;

use super::with_patience;

/// Loads a page, lets its scripts finish, and returns the list that they left as JSON in its `pre` element.
#[track_caller]
pub(crate) fn list_left_by(url: &str, flags: &[&str]) -> Vec<Value> {
    let dom = dom_left_by(url, flags);
    let (_, rest) = dom.split_once("<pre id=\"seen\">").expect("the page has the element");
    let list = rest.split_once("</pre>").unwrap().0;
    let list = list.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&list).unwrap_or_else(|error| panic!("{error}: {dom}"))
}

/// Loads a page, lets its scripts finish, and returns the document as HTML.
#[track_caller]
pub(crate) fn dom_left_by(url: &str, flags: &[&str]) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = with_patience()
        .args(["chromium", "--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-quic", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--virtual-time-budget=60000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(flags)
        .arg("--dump-dom")
        .arg(url)
        .output()
        .expect("timeout(1) is there");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
