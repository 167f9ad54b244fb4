//! Experiments as a program against real servers: files and exit status. No test depends on the machine's
//! speed.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use http_concurrent::lab::figures::{Ratio, Seconds};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::client::program;
use crate::support::scripted::{Peer, Scripted};
use crate::support::server::TestServer;
use crate::support::wait_until;

/// The output of an experiment.
struct Result {
    output: Output,
    text: String,
    page: String,
    json: Value,
    directory: TempDir,
}

impl Result {
    /// Runs the client in a temporary directory, and reads its output.
    fn of(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let output = program()
            .args(arguments)
            .args(["--report", "page.html", "--json", "result.json"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        let read = |name: &str| {
            fs::read_to_string(directory.path().join(name)).unwrap_or_else(|_| panic!("{output:?}"))
        };
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let (page, json) = (read("page.html"), serde_json::from_str(&read("result.json")).unwrap());
        Self { output, text, page, json, directory }
    }

    fn status(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn verdict(&self) -> &str {
        self.json["verdict"]["kind"].as_str().unwrap()
    }

    /// The headline, which is equal in all three forms.
    fn headline(&self) -> &str {
        let headline = self.json["headline"].as_str().unwrap();
        for form in [&self.text, &self.page] {
            let flat = form.split_whitespace().collect::<Vec<_>>().join(" ");
            let escaped = headline.replace('&', "&amp;");
            assert!(flat.contains(headline) || flat.contains(&escaped), "{headline}\n{form}");
        }
        headline
    }
}

/// A server with this number of files and slow responses.
fn server(files: usize) -> TestServer {
    delaying(files, Duration::from_millis(5))
}

fn delaying(files: usize, delay: Duration) -> TestServer {
    let server = TestServer::with_config(|config| config.policy.delay = delay);
    for number in 1..=files {
        server.file(&format!("file{number}.txt"), format!("file {number}\n").repeat(number));
    }
    server
}

fn urls(server: &TestServer, files: usize) -> Vec<String> {
    let url = |number| format!("http://{}/file{number}.txt", server.address());
    (1..=files).map(url).collect()
}

fn with_urls<'a>(urls: &'a [String], options: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["-urls"];
    arguments.extend(urls.iter().map(String::as_str));
    arguments.extend(options);
    arguments
}

#[test]
fn a_comparison_saves_the_files_and_shows_the_same_numbers_three_times() {
    let server = server(6);
    let urls = urls(&server, 6);
    let result = Result::of(&with_urls(&urls, &["--compare", "-c", "6", "-o", "files"]));
    assert_eq!(result.status(), Some(0), "{:?}", result.output);
    assert_eq!(fs::read_dir(result.directory.path().join("files")).unwrap().count(), 6);
    let third = fs::read_to_string(result.directory.path().join("files/file3.txt")).unwrap();
    assert_eq!(third, "file 3\n".repeat(3));
    let json = &result.json;
    assert_eq!(json["pairs"], serde_json::json!({"planned": 6, "measured": 6}));
    assert_eq!(json["rounds"].as_array().unwrap().len(), 6);
    assert_eq!(json["speedup"]["level"], 0.96875);
    assert_eq!(json["conditions"]["bodies"], "saved");
    let servers = serde_json::json!([format!("http_server_conc/{}", env!("CARGO_PKG_VERSION"))]);
    assert_eq!(json["conditions"]["servers"], servers);
    for (index, (side, connections)) in [("sequential", 1), ("concurrent", 6)].iter().enumerate() {
        assert_eq!(json[side]["concurrency"], *connections);
        assert_eq!(json["rounds"][5][index]["concurrency"], *connections);
        assert_eq!(json["rounds"][5][index]["fetches"].as_array().unwrap().len(), 6);
    }
    for run in json["rounds"][0].as_array().unwrap() {
        assert!(run["own_cpu"].as_f64().unwrap() > 0.0, "{}", run["own_cpu"]);
    }
    let round_trips = json["round_trips"].as_array().unwrap();
    assert_eq!(round_trips.len(), 1);
    assert_eq!(round_trips[0]["host"], format!("http://{}", server.address()));
    let command = "http_client_concurrent -urls http://";
    assert!(json["conditions"]["command"].as_str().unwrap().starts_with(command));
    let ratio = |value: &Value| Ratio::new(value.as_f64().unwrap()).to_string();
    let seconds = |value: &Value| Seconds::new(value.as_f64().unwrap()).to_string();
    let numbers = [
        ratio(&json["speedup"]["ratio"]),
        ratio(&json["speedup"]["interval"][0]),
        ratio(&json["speedup"]["interval"][1]),
        ratio(&json["ceiling"]),
        seconds(&json["sequential"]["wall"]),
        seconds(&json["concurrent"]["wall"]),
        ratio(&json["concurrent"]["achieved_concurrency"]),
    ];
    for number in &numbers {
        assert!(result.text.contains(number), "{number} is not in\n{}", result.text);
        assert!(result.page.contains(number), "{number} is not in the page");
    }
    assert!(result.headline().contains(&numbers[0]));
}

#[test]
fn every_run_is_cold_and_sequential_runs_have_one_connection() {
    let server = server(4);
    let urls = urls(&server, 4);
    let result = Result::of(&with_urls(&urls, &["--compare", "-c", "4", "--runs", "2"]));
    assert_eq!(result.status(), Some(0), "{:?}", result.output);
    let fetches =
        |side: usize| result.json["rounds"][1][side]["fetches"].as_array().unwrap().clone();
    let connected = |fetches: &[Value]| {
        fetches.iter().filter(|fetch| fetch["phases"]["connect"].as_f64() > Some(0.0)).count()
    };
    let lanes = |fetches: &[Value]| fetches.iter().map(|fetch| fetch["lane"].as_u64()).max();
    let (one, many) = (fetches(0), fetches(1));
    assert_eq!((connected(&one), lanes(&one)), (1, Some(Some(0))), "{one:?}");
    assert!(connected(&many) >= 1 && lanes(&many) <= Some(Some(3)), "{many:?}");
    assert!(one.iter().all(|fetch| fetch["digest"].as_str().unwrap().len() == 64));
    assert_eq!(result.verdict(), "too_few_pairs");
}

#[test]
fn a_sweep_has_a_point_for_each_level_and_can_discard_content() {
    let server = server(5);
    let urls = urls(&server, 5);
    let options =
        ["--sweep", "1,2,4", "--runs", "2", "--discard", "-o", "files", "--max-per-host", "3"];
    let result = Result::of(&with_urls(&urls, &options));
    assert_eq!(result.status(), Some(0), "{:?}", result.output);
    assert!(!result.directory.path().join("files").exists(), "nothing is written");
    assert_eq!(result.json["conditions"]["bodies"], "discarded");
    assert_eq!(result.json["conditions"]["max_per_host"], 3);
    assert!(result.page.contains("at most 3 (--max-per-host)"));
    let points = result.json["curve"]["points"].as_array().unwrap();
    let levels: Vec<_> = points.iter().map(|point| point["concurrency"].as_u64()).collect();
    assert_eq!(levels, [Some(1), Some(2), Some(4)]);
    // Two pairs support neither a knee nor a law.
    assert!(result.json["curve"]["knee"].is_null() && result.json["curve"]["fit"].is_null());
    assert!(result.page.contains("Speedup over the number of connections"));
}

#[test]
fn a_number_of_connections_is_compared_with_itself() {
    let server = server(4);
    let urls = urls(&server, 4);
    for options in [&["--null", "-c", "4"][..], &["--compare", "--null", "-c", "1"]] {
        let result = Result::of(&with_urls(&urls, options));
        assert_eq!(result.status(), Some(0), "{:?}", result.output);
        let json = &result.json;
        assert_eq!(json["comparison"], "with_itself");
        let connections = options.last().unwrap().parse::<u64>().unwrap();
        for side in ["sequential", "concurrent"] {
            assert_eq!(json[side]["concurrency"], connections);
        }
        assert!(json["ceiling"].is_null() && json["limit"].is_null());
        assert!(result.headline().contains("where 1 is true"), "{}", result.headline());
        let noun = if connections == 1 { "connection" } else { "connections" };
        for side in ["first", "second"] {
            let name = format!("{connections} {noun}, {side}");
            assert!(result.text.contains(&name) && result.page.contains(&name), "{}", result.text);
        }
    }
}

#[test]
fn an_odd_number_of_runs_is_raised_by_one() {
    let server = server(2);
    let urls = urls(&server, 2);
    let result = Result::of(&with_urls(&urls, &["--compare", "--runs", "3"]));
    assert_eq!(result.json["pairs"], serde_json::json!({"planned": 4, "measured": 4}));
    assert!(result.text.contains("4 pairs instead of 3"), "{}", result.text);
}

#[test]
fn an_automatic_sweep_ends_with_the_number_of_urls() {
    let server = server(3);
    let urls = urls(&server, 3);
    let result = Result::of(&with_urls(&urls, &["--sweep", "auto", "--runs", "1"]));
    let points = result.json["curve"]["points"].as_array().unwrap();
    let levels: Vec<_> = points.iter().map(|point| point["concurrency"].as_u64()).collect();
    assert_eq!(levels, [Some(1), Some(2), Some(3)]);
    assert_eq!(result.json["concurrency"], 3);
}

#[test]
fn a_url_that_fails_forbids_the_claim_and_is_named() {
    let server = server(3);
    let mut urls = urls(&server, 3);
    urls[1].push_str(".gone");
    let result = Result::of(&with_urls(&urls, &["--compare"]));
    assert_eq!(result.status(), Some(1), "{:?}", result.output);
    assert_eq!(result.verdict(), "refused");
    assert!(result.headline().contains("file2.txt.gone"), "{}", result.headline());
    assert!(result.headline().contains("404"), "{}", result.headline());
    assert!(result.json["speedup"].is_null() && result.json["limit"].is_null());
}

#[test]
fn a_single_url_is_called_what_it_is() {
    let server = server(1);
    let urls = urls(&server, 1);
    let result = Result::of(&with_urls(&urls, &["--compare", "-c", "10"]));
    assert_eq!(result.status(), Some(0), "{:?}", result.output);
    assert_eq!(result.json["limit"]["cause"], "one_url");
    assert!(result.text.contains("There is only one URL"), "{}", result.text);
    assert_eq!(result.json["ceiling"], 1.0);
    result.headline();
}

#[test]
fn an_unreachable_host_is_tried_in_one_run() {
    // Bound but not listening, so connections are refused.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls = [format!("http://{address}/a"), format!("http://{address}/b")];
    let result = Result::of(&with_urls(&urls, &["--compare", "--retries", "0"]));
    assert_eq!(result.status(), Some(1), "{:?}", result.output);
    assert_eq!(result.json["pairs"]["measured"], 0);
    let expected = "No speedup is claimed: none of the 2 URLs could be fetched";
    assert!(result.headline().starts_with(expected), "{}", result.headline());
}

#[test]
fn a_server_that_allows_twelve_is_named_as_the_limit() {
    // Two responses over each connection, long enough for a busy machine.
    let server = delaying(24, Duration::from_millis(100));
    let urls = urls(&server, 24);
    let result = Result::of(&with_urls(&urls, &["--compare", "-c", "24", "--runs", "1"]));
    assert_eq!(result.status(), Some(0), "{:?}", result.output);
    let json = &result.json;
    assert_eq!(json["limit"]["cause"], "host_limit", "{}", json["limit"]);
    let limit = json["concurrent"]["host_limit"].as_u64().unwrap();
    assert!((1..=12).contains(&limit), "{limit}");
    assert!(json["ceiling"].as_f64().unwrap() <= 12.0, "{}", json["ceiling"]);
    let lanes = json["rounds"][0][1]["fetches"].as_array().unwrap();
    assert!(lanes.iter().all(|fetch| fetch["ending"]["complete"] == 200));
}

#[test]
fn a_limit_that_the_user_sets_bounds_the_ceiling() {
    let server = server(6);
    let urls = urls(&server, 6);
    let options = ["--compare", "-c", "6", "--max-per-host", "2", "--runs", "2"];
    let result = Result::of(&with_urls(&urls, &options));
    assert_eq!(result.status(), Some(0), "{:?}", result.output);
    assert_eq!(result.json["conditions"]["max_per_host"], 2);
    assert!(result.json["ceiling"].as_f64().unwrap() <= 2.0, "{}", result.json["ceiling"]);
}

#[test]
fn the_time_limit_ends_the_experiment_in_order() {
    let server = Scripted::start(Peer::wait_for_close);
    let urls = [server.url("/never")];
    let result = Result::of(&with_urls(&urls, &["--compare", "--max-time", "100ms"]));
    assert_eq!(result.status(), Some(1), "{:?}", result.output);
    assert!(result.headline().contains("time limit of 100 ms was over"), "{}", result.headline());
}

#[test]
fn an_interrupt_ends_the_experiment_in_order() {
    let server = Scripted::start(Peer::wait_for_close);
    let directory = TempDir::new().unwrap();
    let child = program()
        .args(["-urls", &server.url("/never"), "--compare", "--report", "page.html", "-q"])
        .current_dir(directory.path())
        .spawn()
        .unwrap();
    wait_until("the first run is in progress", || server.connections() == 1);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let page = fs::read_to_string(directory.path().join("page.html")).unwrap();
    assert!(page.contains("interrupted before the first pair"), "{page}");
}

#[test]
fn contradicting_options_are_wrong_usage() {
    let directory = TempDir::new().unwrap();
    let urls = &["-urls", "http://127.0.0.1:9/"][..];
    let url_of_x = &["-urls", "http://127.0.0.1:9/x"][..];
    let nothing = &[][..];
    for (source, options, expected) in [
        (urls, &["--compare", "-c", "1"][..], "choose at least 2 connections with -c"),
        (urls, &["--sweep", "2,4", "-c", "1"], "choose at least 2 connections with -c"),
        (urls, &["--compare", "--skip-existing"], "leave it out"),
        (urls, &["--sweep", "auto", "--no-clobber"], "leave it out"),
        (urls, &["--compare", "--continue"], "leave it out"),
        (urls, &["--compare", "--split", "2"], "leave it out"),
        (urls, &["--compare", "--sha256"], "use --report or --json"),
        (urls, &["--compare", "--har", "x.har"], "use --report or --json"),
        (
            urls,
            &["--compare", "-o", ".", "--report", "no/such/page.html"],
            "choose another file with --report",
        ),
        (urls, &["--compare", "--report", "-"], "needs a file"),
        (
            urls,
            &["--compare", "-o", ".", "--report", "one", "--json", "./one"],
            "--json and --report name the same file",
        ),
        (nothing, &["--demo", "--report", "one", "--json", "one"], "name the same file"),
        (
            url_of_x,
            &["--compare", "-o", ".", "--report", "x"],
            "x is the file of http://127.0.0.1:9/x (choose another file with --report)",
        ),
        (url_of_x, &["--sweep", "2,4", "-o", ".", "--json", "x"], "x is the file of http"),
        (urls, &["--sweep", "1"], "one of the numbers must be at least 2"),
        (urls, &["--sweep", "many"], "or auto"),
        (urls, &["--report", "page.html"], "--compare|--sweep"),
        (urls, &["--runs", "3"], "--compare|--sweep"),
        (urls, &["--discard"], "--compare|--sweep"),
        (urls, &["--demo"], "cannot be used with"),
        (urls, &["--null", "--sweep", "2,4"], "cannot be used with"),
        (nothing, &["--null", "--demo"], "cannot be used with"),
        (nothing, &["--demo", "--har", "x.har"], "use --report or --json"),
        (nothing, &["--demo", "--skip-existing"], "leave it out"),
        (nothing, &["--demo", "--split", "4"], "leave it out"),
    ] {
        let output =
            program().args(source).args(options).current_dir(directory.path()).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {message}");
        assert!(message.contains(expected), "{options:?}: {message}");
    }
    let left: Vec<PathBuf> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [] as [&Path; 0], "and nothing is made");
}

#[test]
fn the_demo_needs_nothing_and_writes_one_page() {
    let directory = TempDir::new().unwrap();
    let output = program()
        .args(["--demo", "--runs", "1", "--json", "-"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let experiments = json["experiments"].as_array().unwrap();
    let titles: Vec<_> = experiments.iter().map(|one| one["title"].as_str().unwrap()).collect();
    let expected = ["Testcase 1, near", "Testcase 2, near", "Testcase 1, far", "Testcase 2, far"];
    assert_eq!(titles, expected);
    let page = fs::read_to_string(directory.path().join("speedup-report.html")).unwrap();
    for experiment in experiments {
        assert_eq!(experiment["workload"]["urls"], 10);
        assert_eq!(experiment["curve"]["points"].as_array().unwrap().len(), 4);
        let wall = Seconds::new(experiment["sequential"]["wall"].as_f64().unwrap()).to_string();
        assert!(page.contains(&wall), "{wall}");
    }
    let left = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 1, "neither downloads nor files to serve are left");
}
