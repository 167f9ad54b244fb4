//! A run as an HTTP Archive (HAR 1.2), which the developer tools of browsers display.
//!
//! An entry has all attempts at a URL; `blocked` is the time in the queue and between attempts. Values that
//! the client does not keep, such as the fields of responses, are empty, as the format allows.

use std::io::{self, Write};

use serde_json::{Value, json};
use url::Url;

use super::json::{started, status_of};
use super::outcome::{Outcome, Retrieval, Run};
use super::seconds::millis;
use crate::client::error_chain::error_chain;
use crate::client::plan::job::Job;
use crate::client::redact::redacted_url;
use crate::http::Status;
use crate::printable::{self, JsonLayout};

/// Writes a run as an HTTP Archive.
///
/// # Errors
/// If the writer fails.
pub fn write_har(out: impl Write, jobs: &[Job], run: &Run) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let head = json!({
        "version": "1.2",
        "creator": { "name": "http_client_concurrent", "version": env!("CARGO_PKG_VERSION") },
        "comment": format!("{} URLs from {}", jobs.len(), started(run)),
        "pages": [],
    });
    // The entries are written one by one, so that a long run is not in memory twice.
    let head = head.to_string();
    write!(out, "{{\"log\":{},\"entries\":[", &head[..head.len() - 1])?;
    for (number, (job, outcome)) in jobs.iter().zip(&run.outcomes).enumerate() {
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        printable::write_json(&entry(job, outcome, run), JsonLayout::Compact, &mut out)?;
    }
    out.write_all(b"\n]}}\n")?;
    out.flush()
}

fn entry(job: &Job, outcome: &Outcome, run: &Run) -> Value {
    let phases = &outcome.phases;
    let (status, content) = match &outcome.result {
        Ok(saved) => match saved.retrieval {
            Retrieval::Fetched { status, .. } => (status.code(), saved.bytes),
            Retrieval::Skipped => (0, saved.bytes),
        },
        Err(error) => (status_of(error).unwrap_or(0), 0),
    };
    let mut entry = json!({
        "startedDateTime": started(run),
        "time": millis(phases.queue + outcome.took),
        "request": {
            "method": "GET",
            "url": redacted_url(&job.url),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "queryString": query(&job.url),
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": status,
            "statusText": Status::new(status).map_or("", Status::reason),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "content": { "size": content, "mimeType": "" },
            "redirectURL": outcome.redirected_to.as_deref().map(redacted_url).unwrap_or_default(),
            "headersSize": -1,
            "bodySize": outcome.received,
        },
        "cache": {},
        "timings": {
            "blocked": millis(phases.queue + phases.waiting),
            "dns": millis(phases.dns),
            // In this format "connect" includes "ssl".
            "connect": millis(phases.connect + phases.tls),
            "ssl": millis(phases.tls),
            "send": 0,
            "wait": millis(phases.first_byte),
            // The format has no phase for the work on the file.
            "receive": millis(phases.transfer + phases.write),
        },
        "connection": outcome.worker.to_string(),
    });
    if let Err(error) = &outcome.result {
        entry["comment"] = error_chain(error).into();
    }
    entry
}

fn query(url: &Url) -> Vec<Value> {
    url.query_pairs().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::json::write_json;
    use super::*;
    use crate::client::error::FetchError;
    use crate::client::results::outcome::{Phases, Saved};

    fn run() -> (Vec<Job>, Run) {
        let job = |url: &str| Job {
            url: url.parse().unwrap(),
            credentials: None,
            file_name: "x".into(),
            checksum: None,
            is_name_chosen: false,
        };
        let phase = Duration::from_millis;
        let outcome = |result| Outcome {
            result,
            redirected_to: None,
            worker: 1,
            took: phase(15),
            phases: Phases {
                queue: phase(1),
                waiting: phase(0),
                dns: phase(1),
                connect: phase(2),
                tls: phase(3),
                first_byte: phase(4),
                transfer: phase(4),
                write: phase(1),
            },
            attempts: 1,
            rejections: 0,
            received: 7,
        };
        let retrieval = Retrieval::Fetched { status: Status::OK, continued_from: 0 };
        let saved = Saved { path: "x".into(), bytes: 7, retrieval, checksums: Box::default() };
        let gone = FetchError::Status { status: Status::NOT_FOUND, retry_after: None };
        let run = Run {
            outcomes: vec![outcome(Ok(saved)), outcome(Err(gone))],
            workers: 2,
            wall: phase(20),
            started: SystemTime::UNIX_EPOCH,
            limits: Vec::new(),
            servers: Vec::new(),
        };
        (vec![job("https://a/x?q=1&r"), job("https://a/y")], run)
    }

    #[test]
    fn an_archive_has_the_values_that_its_readers_need() {
        let (jobs, run) = run();
        let mut text = Vec::new();
        write_har(&mut text, &jobs, &run).unwrap();
        let log = &serde_json::from_slice::<Value>(&text).unwrap()["log"];
        assert_eq!(
            (&log["version"], &log["creator"]["name"]),
            (&json!("1.2"), &json!("http_client_concurrent"))
        );
        let entry = &log["entries"][0];
        assert_eq!(entry["startedDateTime"], "1970-01-01T00:00:00Z");
        assert_eq!(
            entry["request"]["queryString"],
            json!([{"name":"q","value":"1"},{"name":"r","value":""}])
        );
        assert_eq!(entry["response"]["statusText"], "OK");
        let timings = entry["timings"].as_object().unwrap();
        // "ssl" is part of "connect".
        let sum: f64 = timings
            .iter()
            .filter(|(name, _)| *name != "ssl")
            .map(|(_, time)| time.as_f64().unwrap())
            .sum();
        assert!((sum - entry["time"].as_f64().unwrap()).abs() < 1e-6, "{entry}");
        assert_eq!(log["entries"][1]["response"]["status"], 404);
        assert!(log["entries"][1]["comment"].as_str().unwrap().contains("404"));
    }

    #[test]
    fn unprintable_characters_are_escaped_and_keep_their_value() {
        const RISKY: &str = "\u{7f}\u{85}\u{202e}\u{2028}\u{200b}\u{feff}\u{e0041}";
        let (mut jobs, mut run) = run();
        jobs[0].url.query_pairs_mut().clear().append_pair(RISKY, RISKY);
        let saved = run.outcomes[0].result.as_mut().unwrap();
        saved.path = RISKY.into();
        let error = std::io::ErrorKind::NotFound.into();
        run.outcomes[1].result = Err(FetchError::File { path: RISKY.into(), error });
        let mut documents = [Vec::new(), Vec::new()];
        write_json(&mut documents[0], &jobs, &run, false).unwrap();
        write_har(&mut documents[1], &jobs, &run).unwrap();
        let [json, archive] = documents.map(|document| {
            let text = String::from_utf8(document).unwrap();
            let is_escaped = |c: &char| *c != '\n' && !printable::is_printable(*c);
            assert_eq!(text.chars().find(is_escaped), None);
            serde_json::from_str::<Value>(&text).unwrap()
        });
        assert_eq!(json["fetches"][0]["file"], RISKY);
        assert!(json["fetches"][1]["error"].as_str().unwrap().contains(RISKY), "{json}");
        let entries = &archive["log"]["entries"];
        let query = json!([{ "name": RISKY, "value": RISKY }]);
        assert_eq!(entries[0]["request"]["queryString"], query);
        assert!(entries[1]["comment"].as_str().unwrap().contains(RISKY), "{archive}");
    }

    #[test]
    fn the_json_has_its_documented_fields() {
        let (jobs, run) = run();
        let mut text = Vec::new();
        write_json(&mut text, &jobs, &run, false).unwrap();
        let document: Value = serde_json::from_slice(&text).unwrap();
        let documented = |table: usize| {
            let tables: Vec<_> = include_str!("json.rs").split("|---|---|").collect();
            let rows = tables[table].lines().skip(1).take_while(|line| line.starts_with("//! |"));
            let cells = rows.map(|row| row.split('|').nth(1).unwrap().to_owned());
            let names = cells.flat_map(|cell| {
                cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
            });
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        let keys = |value: &Value| {
            value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        let sorted = |value| keys(value).into_iter().collect::<Vec<_>>();
        assert_eq!(sorted(&document), documented(1));
        assert_eq!(sorted(&document["fetches"][0]), documented(2));
        assert_eq!(document["failures"], json!({ "status 404": 1 }));
    }
}
