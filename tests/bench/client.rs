//! The client against curl and aria2c: time and peak memory, in interleaved runs.
//!
//! `cargo bench --bench client` prints a table; `-- --runs N --files N --mebibytes N` set the workload. A
//! program that is not installed is skipped and reported. The memory is the peak resident set (`VmHWM`), read
//! while the program runs.

#[path = "peers.rs"]
#[expect(dead_code, reason = "the measurements of the server use the rest of it")]
mod peers;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use peers::{Peer, Spread};
use tempfile::TempDir;

/// A program that downloads a list, and its command line.
struct Contender {
    name: &'static str,
    command: fn(list: &Path, directory: &Path, connections: &str) -> Command,
}

const CONTENDERS: [Contender; 3] = [
    Contender {
        name: "http_client_concurrent",
        command: |list, directory, connections| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_http_client_concurrent"));
            command.args(["-q", "-c", connections, "-i"]).arg(list).arg("-o").arg(directory);
            command
        },
    },
    Contender {
        name: "curl",
        command: |list, directory, connections| {
            let urls = fs::read_to_string(list).expect("the list is there");
            let lines: Vec<_> =
                urls.lines().map(|url| format!("url={url}\nremote-name\n")).collect();
            let path = list.with_extension("curl");
            fs::write(&path, lines.concat()).expect("there is room");
            let mut command = Command::new("curl");
            command.args(["-sS", "--parallel", "--parallel-max", connections, "-K"]);
            command.arg(path).current_dir(directory);
            command
        },
    },
    Contender {
        name: "aria2c",
        command: |list, directory, connections| {
            let mut command = Command::new("aria2c");
            command.args(["-q", "--file-allocation=none", "--allow-overwrite=true", "-x1", "-s1"]);
            command.args(["-j", connections, "-i"]).arg(list).arg("-d").arg(directory);
            command
        },
    },
];

struct Measured {
    seconds: f64,
    peak_mebibytes: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (runs, files, mebibytes) =
        (option("--runs", 5), option("--files", 10_000), option("--mebibytes", 1024));
    let root = TempDir::new().expect("a directory for what is served");
    for number in 0..files {
        fs::write(root.path().join(number.to_string()), format!("{number:014}")).expect("room");
    }
    let large = File::create(root.path().join("large")).expect("room");
    large.set_len(mebibytes as u64 * 1024 * 1024).expect("room");
    let server = match Peer::nginx(root.path()).or_else(|missing| {
        println!("skipped: {missing}");
        Peer::ours(root.path())
    }) {
        Ok(server) => server,
        Err(error) => return println!("no server: {error}"),
    };
    println!("from {}; {runs} interleaved runs; median [least to most]", server.name);
    let urls = (0..files).map(|number| server.url(&number.to_string()) + "\n").collect::<String>();
    measure(&format!("{files} files of 14 B, 32 connections"), &urls, "32", runs);
    let url = server.url("large") + "\n";
    measure(&format!("one file of {mebibytes} MiB"), &url, "1", runs);
}

fn measure(name: &str, urls: &str, connections: &str, runs: usize) {
    let work = TempDir::new().expect("a directory for the lists");
    let list = work.path().join("list");
    fs::write(&list, urls).expect("room");
    let contenders: Vec<_> = CONTENDERS
        .iter()
        .enumerate()
        .filter(|(index, contender)| *index == 0 || peers::is_installed(contender.name))
        .map(|(_, contender)| contender)
        .collect();
    let mut measured: Vec<Vec<Measured>> = contenders.iter().map(|_| Vec::new()).collect();
    for run in 0..runs {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        // In alternating order, so that a drift of the machine affects all alike.
        if run % 2 == 1 {
            order.reverse();
        }
        for index in order {
            measured[index].push(run_once(contenders[index], &list, connections));
        }
    }
    println!("\n{name}\n{:<24} {:>28} {:>28} {:>22}", "", "seconds", "times ours", "peak MiB");
    for (index, contender) in contenders.iter().enumerate() {
        let seconds = Spread::of(measured[index].iter().map(|run| run.seconds));
        let pairs = measured[index].iter().zip(&measured[0]);
        let ratio = Spread::of(pairs.map(|(run, ours)| run.seconds / ours.seconds));
        let peak = Spread::of(measured[index].iter().map(|run| run.peak_mebibytes));
        println!(
            "{:<24} {:>28} {:>28} {:>22}",
            contender.name,
            seconds.to_text(3),
            ratio.to_text(2),
            peak.to_text(1)
        );
    }
}

fn run_once(contender: &Contender, list: &Path, connections: &str) -> Measured {
    let directory = TempDir::new().expect("a directory for the files");
    let mut command = (contender.command)(list, directory.path(), connections);
    let begun = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", contender.name));
    let mut peak_kibibytes = 0.0_f64;
    let status = loop {
        peak_kibibytes = peak_kibibytes.max(high_water(child.id()).unwrap_or(0.0));
        match child.try_wait().expect("it is our child") {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    assert!(status.success(), "{}: {status}", contender.name);
    Measured { seconds, peak_mebibytes: peak_kibibytes / 1024.0 }
}

/// The peak resident set of a process, in KiB (proc(5), `status`: `VmHWM`).
fn high_water(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
