//! Programs that speak TLS: curl, wget, aria2, a browser, and the client of this package.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use http_concurrent::server::Limits;
use sha2::{Digest as _, Sha256};

use super::site::server;
use crate::support::browser::list_left_by;
use crate::support::client::program;
use crate::support::server::TestServer;
use crate::support::with_patience;

/// A server over TLS, the digest of its large file, and a directory for what is downloaded.
struct Site {
    server: TestServer,
    digest: Vec<u8>,
    directory: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        Self::with_limits(60, 60)
    }

    fn with_limits(per_client: usize, total: usize) -> Self {
        let server = server(|config| config.limits = Limits { per_client, total });
        let large: Vec<u8> = (0..2_621_440_u32).flat_map(u32::to_le_bytes).collect();
        server.file("large.bin", &large);
        let digest = Sha256::digest(&large).to_vec();
        Self { server, digest, directory: tempfile::tempdir().unwrap() }
    }

    /// Runs a program in the directory; `{url}`, `{http}` and `{ca}` in its arguments are replaced.
    fn output(&self, mut command: Command, arguments: &[&str]) -> Output {
        let port = self.server.address().port();
        let authority = self.server.certificate().authority();
        let arguments = arguments.iter().map(|argument| {
            argument
                .replace("{url}", &format!("https://localhost:{port}"))
                .replace("{http}", &format!("http://localhost:{port}"))
                .replace("{ca}", authority.to_str().unwrap())
        });
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .expect("it is installed")
    }

    /// The same with what it printed, of a program that succeeds.
    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = with_patience();
        command.arg(program);
        let output = self.output(command, arguments);
        let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success(), "{program} {arguments:?}: {}: {out}{err}", output.status);
        format!("{out}{err}")
    }

    #[track_caller]
    fn curl(&self, arguments: &[&str]) -> String {
        let common = ["-sS", "--max-time", "60", "--cacert", "{ca}"];
        self.run("curl", &[&common, arguments].concat())
    }

    #[track_caller]
    fn assert_whole(&self, path: impl AsRef<Path>) {
        let content = fs::read(self.directory.path().join(path)).unwrap();
        assert!(Sha256::digest(&content).to_vec() == self.digest, "{} bytes", content.len());
    }
}

#[test]
#[ignore = "needs curl"]
fn curl_agrees_with_the_server_in_each_version() {
    let site = Site::start();
    for (options, version) in [
        (&["--tls-max", "1.2"][..], "TLSv1.2"),
        (&["--tlsv1.3"], "TLSv1.3"),
        (&["--http1.0"], "TLSv1.3"),
        (&["--http2"], "TLSv1.3"),
    ] {
        let printed = site.curl(&[options, &["-v", "{url}/a.txt"]].concat());
        assert!(printed.contains("Hello"), "{options:?}: {printed}");
        assert!(printed.contains(&format!("SSL connection using {version}")), "{printed}");
        assert!(printed.contains("certificate verify ok"), "{printed}");
        site.curl(&[options, &["-o", "large.bin", "{url}/large.bin"]].concat());
        site.assert_whole("large.bin");
        let part = site.curl(&[options, &["-r", "1-3", "{url}/a.txt"]].concat());
        assert_eq!(part, "ell");
        fs::write(site.directory.path().join("part.bin"), vec![0; 4_000_000]).unwrap();
        site.curl(&[options, &["-r", "0-3999999", "-o", "part.bin", "{url}/large.bin"]].concat());
        site.curl(&[options, &["-C", "-", "-o", "part.bin", "{url}/large.bin"]].concat());
        site.assert_whole("part.bin");
        let status = ["-w", "%{http_code}", "-o", "/dev/null", "{url}/a.txt"];
        assert_eq!(site.curl(&[options, &["-T", "large.bin"], &status].concat()), "405");
    }
}

/// In TLS 1.2 curl does without tickets, by which alone this server resumes sessions.
#[test]
#[ignore = "needs curl"]
fn curl_resumes_its_session_on_the_next_connection() {
    let site = Site::start();
    let printed = site.curl(&["-v", "-H", "Connection: close", "{url}/a.txt", "{url}/a.txt"]);
    assert_eq!(printed.matches("SSL connection using TLSv1.3").count(), 2, "{printed}");
    assert_eq!(printed.matches("SSL re-using session ID").count(), 1, "{printed}");
}

#[test]
#[ignore = "needs curl"]
fn curl_is_told_that_a_port_speaks_tls_and_why_it_is_rejected() {
    let site = Site::with_limits(1, 60);
    let reply = site.curl(&["-i", "{http}/a.txt"]);
    assert!(reply.starts_with("HTTP/1.1 400 ") && reply.contains("https"), "{reply}");
    let mut held = site.server.connect();
    assert_eq!(held.get("/a.txt").status, 200);
    for options in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        for _ in 0..5 {
            let reply = site.curl(&[options, &["-i", "{url}/a.txt"]].concat());
            assert!(reply.starts_with("HTTP/1.1 429 "), "{reply}");
            assert!(reply.contains("\r\nRetry-After: ") && reply.contains("try again"), "{reply}");
        }
        let reply = site.curl(&[options, &["-I", "{url}/a.txt"]].concat());
        assert!(reply.starts_with("HTTP/1.1 429 "), "{reply}");
    }
}

#[test]
#[ignore = "needs wget"]
fn wget_fetches_and_continues() {
    let site = Site::start();
    site.server.file("docs/b.txt", "b");
    for version in ["--secure-protocol=TLSv1_2", "--secure-protocol=TLSv1_3"] {
        let common = ["-nv", "--ca-certificate={ca}", version];
        site.run("wget", &[&common[..], &["-O", "large.bin", "{url}/large.bin"]].concat());
        site.assert_whole("large.bin");
        let path = site.directory.path().join("large.bin");
        fs::File::options().write(true).open(path).unwrap().set_len(3_000_000).unwrap();
        site.run("wget", &[&common[..], &["-c", "{url}/large.bin"]].concat());
        site.assert_whole("large.bin");
        site.run("wget", &[&common[..], &["-r", "-np", "-nH", "{url}/docs/"]].concat());
        assert_eq!(fs::read_to_string(site.directory.path().join("docs/b.txt")).unwrap(), "b");
        fs::remove_dir_all(site.directory.path().join("docs")).unwrap();
    }
}

#[test]
#[ignore = "needs aria2"]
fn aria2_fetches_over_several_connections() {
    let site = Site::start();
    let options = ["-q", "--ca-certificate={ca}", "-x8", "-s8", "-k1M", "{url}/large.bin"];
    site.run("aria2c", &options);
    site.assert_whole("large.bin");
}

#[test]
fn the_client_of_this_package_fetches_over_several_connections() {
    let site = Site::start();
    for number in 0..20 {
        site.server.file(&format!("{number}.txt"), number.to_string());
    }
    let urls: Vec<String> = (0..20).map(|number| format!("{{url}}/{number}.txt")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let arguments = [&["--cacert", "{ca}", "-c", "10", "-o", "files", "-urls"], &urls[..]].concat();
    let output = site.output(program(), &arguments);
    assert!(output.status.success(), "{output:?}");
    for number in 0..20 {
        let path = site.directory.path().join(format!("files/{number}.txt"));
        assert_eq!(fs::read_to_string(path).unwrap(), number.to_string());
    }
    let split = ["--cacert", "{ca}", "--split", "4", "-o", "files", "-urls", "{url}/large.bin"];
    let output = site.output(program(), &split);
    assert!(output.status.success(), "{output:?}");
    site.assert_whole("files/large.bin");
}

#[test]
fn the_client_of_this_package_shows_why_it_is_rejected_and_returns_when_told() {
    let site = Site::with_limits(1, 60);
    let mut held = site.server.connect();
    assert_eq!(held.get("/a.txt").status, 200);
    let arguments = ["--cacert", "{ca}", "--retries", "0", "-urls", "{url}/a.txt"];
    let output = site.output(program(), &arguments);
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("429"), "{printed}");
    drop(held);
    site.server.wait_for_connections(0);
    let output = site.output(program(), &arguments);
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "needs curl"]
fn curl_is_told_that_the_server_is_full_or_that_its_address_is_denied() {
    let site = Site::with_limits(60, 1);
    let _held = site.server.connect_from(9);
    site.server.wait_for_connections(1);
    let reply = site.curl(&["-i", "{url}/a.txt"]);
    assert!(reply.starts_with("HTTP/1.1 503 ") && reply.contains("Try again"), "{reply}");

    let server = server(|config| config.networks.deny = vec!["127.0.0.1/32".parse().unwrap()]);
    let site = Site { server, ..site };
    let reply = site.curl(&["-i", "{url}/a.txt"]);
    assert!(reply.starts_with("HTTP/1.1 403 ") && reply.contains("127.0.0.1"), "{reply}");
}

/// Loads pictures and texts, more at once than a browser opens connections, and notes how they came.
const PAGE: &str = r#"<!DOCTYPE html><meta charset="utf-8"><title>Page</title><pre id="seen"></pre>
<link rel="stylesheet" href="style.css"><script src="script.js"></script>
<script>
(async () => {
  const texts = [...Array(20).keys()].map(async number => (await fetch(number + ".txt")).text());
  const seen = [isSecureContext, fromScript, ...await Promise.all(texts)];
  for (const entry of performance.getEntriesByType("resource")) seen.push(entry.nextHopProtocol);
  document.getElementById("seen").textContent = JSON.stringify(seen);
})();
</script>"#;

#[test]
#[ignore = "needs chromium"]
fn a_browser_loads_a_page_with_everything_in_it() {
    let site = Site::start();
    site.server.file("index.html", PAGE);
    site.server.file("style.css", "body { color: black }");
    site.server.file("script.js", "var fromScript = 'script';");
    for number in 0..20 {
        site.server.file(&format!("{number}.txt"), number.to_string());
    }
    let url = format!("https://localhost:{}/", site.server.address().port());
    // This key alone is trusted.
    let hash = site.server.certificate().public_key_hash();
    let flags = [format!("--ignore-certificate-errors-spki-list={hash}")];
    for versions in [&[][..], &["--ssl-version-max=tls1.2"]] {
        let flags: Vec<&str> =
            flags.iter().map(String::as_str).chain(versions.iter().copied()).collect();
        let seen = list_left_by(&url, &flags);
        let texts: Vec<_> = seen.iter().filter_map(|entry| entry.as_str()).collect();
        assert_eq!(seen[0], true, "{seen:?}");
        assert_eq!(texts[0], "script");
        let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(texts[1..21], expected);
        assert!(
            texts.len() > 40 && texts[21..].iter().all(|name| *name == "http/1.1"),
            "{texts:?}"
        );
    }
    assert_eq!(site.server.counters().rejected_per_client, 0);
}
