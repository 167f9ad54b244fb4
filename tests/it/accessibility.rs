//! The pages of both programs, checked by axe-core in Chromium, on a wide and a narrow screen, light and dark.

use std::fs;
use std::path::Path;

use http_concurrent::lab::report::{self, Chapter, Series};
use http_concurrent::lab::schedule::{Schedule, automatic_levels};
use http_concurrent::server::StatusAccess;
use serde_json::Value;

use crate::lab::report::{findings, mixed};
use crate::lab::simulation::Network;
use crate::support::browser::list_left_by;
use crate::support::server::TestServer;
use crate::support::with_patience;

/// The checker, of this version.
const AXE: &str = "axe-core@4.14.1";

/// Pages that one browser checks, which takes a second and more for each.
const PAGES_AT_A_TIME: usize = 4;

/// Shows each page in a frame of each width, opens what can be opened, and records what axe-core found, labels
/// that overlap or leave the screen, and a page that is wider than the screen. The pages themselves have no
/// script.
const DRIVER: &str = r#"<!DOCTYPE html><meta charset="utf-8"><title>Driver</title>
<iframe id="frame" style="height:800px;border:0"></iframe><pre id="seen"></pre>
<script>
const frame = document.getElementById("frame"), seen = [];
const problems = page => {
  const found = [], width = page.documentElement.clientWidth;
  if (page.documentElement.scrollWidth > width)
    found.push(`is ${page.documentElement.scrollWidth} pixels wide`);
  for (const plot of page.querySelectorAll("svg.plot")) {
    const labels = [...plot.querySelectorAll("text:not(.failure)")].map(label =>
      ({ text: label.textContent, box: label.getBoundingClientRect() }));
    labels.forEach(({ text, box }, index) => {
      if (box.left < 0 || box.right > width) found.push(`cut: ${text}`);
      for (const other of labels.slice(index + 1)) {
        const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (across > 0.5 && down > 3) found.push(`overlap: ${text} and ${other.text}`);
      }
    });
  }
  return found;
};
(async () => {
  const axe = await (await fetch("axe.min.js")).text();
  for (const path of await (await fetch("pages.json")).json()) for (const width of [1280, 360]) {
    frame.style.width = width + "px";
    await new Promise(done => { frame.onload = done; frame.src = path; });
    const page = frame.contentDocument;
    for (const details of page.querySelectorAll("details")) details.open = true;
    const script = page.createElement("script");
    script.textContent = axe;
    page.head.append(script);
    const { violations } = await frame.contentWindow.axe.run(page);
    for (const { id, impact, nodes } of violations)
      seen.push(`${path} at ${width}: ${impact} ${id}: ${nodes.length} × ${nodes[0].html.slice(0, 200)}`);
    seen.push(...problems(page).map(problem => `${path} at ${width}: ${problem}`));
    seen.push(null);
  }
  document.getElementById("seen").textContent = JSON.stringify(seen);
})();
</script>"#;

/// Installs the checker in an empty directory, and returns its script.
fn checker(directory: &Path) -> String {
    let output = with_patience()
        .args(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
        .arg(directory)
        .arg(AXE)
        .output()
        .expect("timeout(1) is there");
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(directory.join("node_modules/axe-core/axe.min.js")).unwrap()
}

/// The reports: of one file and of many, with a curve, of refused and of failed fetches, and of a series.
fn reports() -> Vec<(String, String)> {
    let network = |files| Network::new(mixed(files));
    let sweep = |files: usize| Schedule::sweep(&automatic_levels(files), files.min(10));
    let limited = Network { host_limit: 12, ..network(60) };
    let failing =
        Network { failing: Some((|index| index % 7 == 3, "404 Not Found")), ..network(20) };
    let slower = Network { lane_rate: 12.5e6, link_rate: 1.2e6, ..network(20) };
    let experiments = [
        ("one", network(1), Schedule::compare(10)),
        ("two", network(2), Schedule::compare(2)),
        ("twenty", network(20), sweep(20)),
        ("dense", network(20), Schedule::sweep(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 10)),
        ("hundreds", network(500), sweep(500)),
        ("lanes", network(500), Schedule::compare(64)),
        ("null", network(20), Schedule::null(5)),
        ("limited", limited, Schedule::compare(20)),
        ("failing", failing, Schedule::compare(10)),
        ("slower", slower, sweep(20)),
    ];
    let mut pages = Vec::new();
    let mut chapters = Vec::new();
    for (name, network, schedule) in experiments {
        let findings = findings(&format!("page of {name}"), network, schedule);
        pages.push((format!("{name}.html"), report::html(&findings)));
        chapters.push(Chapter { title: name.to_owned(), findings });
    }
    let introduction = "Each experiment, one after another.".to_owned();
    let series = Series { title: "All".to_owned(), introduction, experiments: chapters };
    pages.push(("series.html".to_owned(), series.html()));
    pages
}

/// The pages of a server: its status while it is busy, a listing, and an error.
fn server_pages() -> Vec<(String, String)> {
    let server = TestServer::with_config(|config| {
        let path = "/server-status".to_owned();
        config.status = Some(StatusAccess { path, ..StatusAccess::default() });
        config.limits.per_client = 3;
    });
    for name in ["docs/deep/a.txt", "docs/two words.txt", "docs/b.bin"] {
        server.file(name, "Hello");
    }
    let mut held: Vec<_> = (0..7).map(|index| server.connect_from(index / 3 + 2)).collect();
    for connection in &mut held {
        assert_eq!(connection.get("/docs/b.bin").status, 200);
    }
    let beyond = server.connect_from(2).get("/docs/b.bin");
    assert_eq!(beyond.status, 429);
    [
        ("status.html", "/server-status?format=html"),
        ("still.html", "/server-status?format=html&refresh=off"),
        ("root.html", "/"),
        ("listing.html", "/docs/?sort=size"),
        ("error.html", "/none"),
    ]
    .map(|(name, target)| {
        let reply = server.get_with(target, "Accept: text/html\r\n");
        (name.to_owned(), reply.text().to_string())
    })
    .into()
}

#[test]
#[ignore = "needs chromium and npm"]
fn axe_finds_nothing_and_no_label_is_cut_or_hidden() {
    let server = TestServer::start();
    let pages: Vec<(String, String)> = reports().into_iter().chain(server_pages()).collect();
    for (name, page) in &pages {
        server.file(name, page);
    }
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    server.file("axe.min.js", checker(tempfile::tempdir().unwrap().path()));
    server.file("driver.html", DRIVER);
    let url = format!("http://{}/driver.html", server.address());
    for pages in names.chunks(PAGES_AT_A_TIME) {
        server.file("pages.json", serde_json::to_string(pages).unwrap());
        for scheme in ["1", "0"] {
            let flag = format!("--blink-settings=preferredColorScheme={scheme}");
            let seen = list_left_by(&url, &[&flag]);
            let (visits, problems): (Vec<Value>, Vec<Value>) =
                seen.into_iter().partition(Value::is_null);
            assert_eq!(visits.len(), 2 * pages.len(), "every page was seen at both widths");
            assert!(problems.is_empty(), "colour scheme {scheme}: {problems:#?}");
        }
    }
}
