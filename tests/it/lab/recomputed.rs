//! Each figure of text and page is computed again from the runs in the JSON, by other code than the library's,
//! and compared after rounding.

#![expect(clippy::cast_precision_loss, reason = "counts and bytes of a test are far below 2^53")]

use http_concurrent::lab::report;
use http_concurrent::lab::schedule::Schedule;
use serde_json::Value;

use super::report::{findings, mixed};
use super::simulation::Network;

/// The document of an experiment with one host.
struct Document(Value);

/// The figures of the runs at one position of the rounds.
struct Runs<'d>(Vec<&'d Value>);

impl Document {
    /// The used runs at this position of the rounds.
    fn runs(&self, position: usize) -> Runs<'_> {
        let rounds = self.0["rounds"].as_array().unwrap();
        let used = if rounds.len() > 1 { rounds.len() / 2 * 2 } else { rounds.len() };
        assert_eq!(self.0["pairs"]["measured"], used);
        Runs(rounds[..used].iter().map(|round| &round[position]).collect())
    }

    fn levels(&self) -> usize {
        self.0["rounds"][0].as_array().unwrap().len()
    }

    fn summary(&self) -> usize {
        usize::try_from(self.0["summary"].as_u64().unwrap()).unwrap()
    }

    fn files(&self) -> &[Value] {
        self.0["files"].as_array().unwrap()
    }

    /// The ratios of the times at the first position to those at this one, in ascending order.
    fn ratios(&self, position: usize) -> Vec<f64> {
        let (one, other) = (self.runs(0).walls(), self.runs(position).walls());
        ascending(one.iter().zip(&other).map(|(one, other)| one / other).collect())
    }

    /// The ratio with its interval, and the level of the interval.
    fn speedup(&self, position: usize) -> (String, String, f64) {
        let ratios = self.ratios(position);
        let n = ratios.len();
        let middle = (ratios[(n - 1) / 2] * ratios[n / 2]).sqrt();
        let wanted = 0.95_f64.powf(1.0 / (self.levels() - 1) as f64);
        // The level of the interval from the k-th smallest to the k-th largest.
        let level = |k: usize| 1.0 - 2.0 * (0..k).map(|i| binomial(n, i)).sum::<f64>();
        let k = (1..=n / 2).rev().find(|&k| level(k) >= wanted).unwrap_or(1);
        let interval = format!("{} to {}", number(ratios[k - 1]), number(ratios[n - k]));
        (number(middle), interval, level(k))
    }

    /// The speedup of the best schedule: the longest file first, on the first connection that is free.
    fn ceiling(&self) -> String {
        let (one, many) = (self.runs(0), self.runs(self.summary()));
        let limits: Option<Vec<u64>> = many.0.iter().map(|run| limit_of_host(run)).collect();
        let most = limits.and_then(|limits| limits.into_iter().max()).unwrap_or(u64::MAX);
        let per_host = self.0["conditions"]["max_per_host"].as_u64().unwrap_or(u64::MAX);
        let connections = self.0["concurrency"].as_u64().unwrap().min(most).min(per_host);
        let mut times: Vec<f64> = (0..self.files().len()).map(|file| one.file(file)).collect();
        times.sort_by(|left, right| right.total_cmp(left));
        let mut busy_until = vec![0.0_f64; usize::try_from(connections).unwrap()];
        for time in &times {
            let first = busy_until.iter_mut().min_by(|left, right| left.total_cmp(right)).unwrap();
            *first += time;
        }
        let end = busy_until.into_iter().fold(0.0, f64::max);
        number(times.iter().sum::<f64>() / end)
    }
}

impl<'d> Runs<'d> {
    fn walls(&self) -> Vec<f64> {
        self.0.iter().map(|run| run["wall"].as_f64().unwrap()).collect()
    }

    fn fetches(&self) -> impl Iterator<Item = &'d Value> {
        self.0.iter().flat_map(|run| run["fetches"].as_array().unwrap())
    }

    fn sum(&self, figure: &str) -> u64 {
        self.fetches().map(|fetch| fetch[figure].as_u64().unwrap()).sum()
    }

    /// The median of a figure of each run: its wall time and its fetches are given.
    fn median(&self, figure: impl Fn(f64, &[Value]) -> f64) -> f64 {
        let of_run = |run: &&Value| {
            figure(run["wall"].as_f64().unwrap(), run["fetches"].as_array().unwrap())
        };
        quantile(&self.0.iter().map(of_run).collect::<Vec<_>>(), 0.5)
    }

    /// The median time of a file.
    fn file(&self, index: usize) -> f64 {
        self.median(|_, fetches| busy(&fetches[index]))
    }

    /// The quantile of the times of all fetches.
    fn fetch_time(&self, p: f64) -> f64 {
        quantile(&self.fetches().map(busy).collect::<Vec<_>>(), p)
    }

    fn host_limit(&self) -> Option<u64> {
        let of_run = |run: &&Value| {
            let usable = run["concurrency"].as_u64()?.min(run["fetches"].as_array()?.len() as u64);
            limit_of_host(run).filter(|limit| *limit < usable)
        };
        let limits: Option<Vec<u64>> = self.0.iter().map(of_run).collect();
        limits?.into_iter().max()
    }
}

fn limit_of_host(run: &Value) -> Option<u64> {
    run["host_limits"].as_array().unwrap().first()?["connections"].as_u64()
}

fn phases(fetch: &Value, is_meant: fn(&str) -> bool) -> f64 {
    let phases = fetch["phases"].as_object().unwrap();
    phases.iter().filter(|(name, _)| is_meant(name)).map(|(_, time)| time.as_f64().unwrap()).sum()
}

fn busy(fetch: &Value) -> f64 {
    phases(fetch, |name| name != "queue" && name != "waiting")
}

fn ascending(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// Type 7 of Hyndman and Fan.
fn quantile(values: &[f64], p: f64) -> f64 {
    let values = ascending(values.to_vec());
    let position = p * (values.len() - 1) as f64;
    let next = values.iter().enumerate().find(|(index, _)| *index as f64 >= position).unwrap().0;
    let below = next.saturating_sub(1);
    let share = if next == below { 0.0 } else { position - below as f64 };
    values[below] + share * (values[next] - values[below])
}

/// The probability of k successes of n with ½ each.
fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(0.5_f64.powi(i32::try_from(n).unwrap()), |p, i| p * (n - i) as f64 / (i + 1) as f64)
}

/// Three significant digits; whole numbers from 100 on.
fn number(value: f64) -> String {
    let scientific = format!("{value:.2e}");
    let (_, exponent) = scientific.split_once('e').unwrap();
    let decimals = usize::try_from(2 - exponent.parse::<i32>().unwrap()).unwrap_or(0);
    format!("{value:.decimals$}")
}

fn seconds(value: f64) -> String {
    let is_second = number(value).parse::<f64>().unwrap() >= 1.0;
    match value {
        0.0 => "0 s".to_owned(),
        _ if is_second => format!("{} s", number(value)),
        _ => format!("{} ms", number(1000.0 * value)),
    }
}

fn bytes(value: f64) -> String {
    match value {
        ..1024.0 => format!("{value} B"),
        ..1_048_000.0 => format!("{} KiB", number(value / 1024.0)),
        _ => format!("{} MiB", number(value / 1_048_576.0)),
    }
}

/// The rows of the table in the text, as the figures of the JSON give them.
fn rows(document: &Document) -> Vec<(&'static str, String)> {
    let (one, many) = (document.runs(0), document.runs(document.summary()));
    let both =
        |figure: &dyn Fn(&Runs<'_>) -> String| format!("{:<24}{}", figure(&one), figure(&many));
    let quartiles =
        |runs: &Runs<'_>| [0.25, 0.75].map(|p| seconds(quantile(&runs.walls(), p))).join(" to ");
    let rate = |wall: f64, fetches: &[Value]| {
        fetches.iter().map(|fetch| fetch["bytes"].as_f64().unwrap()).sum::<f64>() / wall
    };
    let achieved = |wall: f64, fetches: &[Value]| fetches.iter().map(busy).sum::<f64>() / wall;
    let retries = |runs: &Runs<'_>| runs.sum("attempts") - runs.fetches().count() as u64;
    let waiting =
        |runs: &Runs<'_>| runs.fetches().map(|fetch| phases(fetch, |name| name == "waiting")).sum();
    let lengths: Vec<f64> =
        document.files().iter().map(|file| file["bytes"].as_f64().unwrap()).collect();
    let (smallest, largest) = (quantile(&lengths, 0.0), quantile(&lengths, 1.0));
    let range = [smallest, largest].map(bytes).join(" to ");
    let each = if smallest < largest { range } else { bytes(largest) };
    let (ratio, interval, level) = document.speedup(document.summary());
    let measured = document.0["pairs"]["measured"].as_u64().unwrap();
    let name = match level {
        _ if document.0["verdict"]["kind"] == "too_few_pairs" => "range".to_owned(),
        0.99.. => format!("{:.1} % interval", 100.0 * level),
        _ => format!("{:.0} % interval", 100.0 * level),
    };
    let mut rows = vec![
        ("files", format!("{} files from files.example", document.files().len())),
        ("lengths", format!("{} in all, {each} each", bytes(lengths.iter().sum()))),
        ("pairs of runs", format!("{measured} of {}", document.0["pairs"]["planned"])),
        ("median run", both(&|runs| seconds(quantile(&runs.walls(), 0.5)))),
        ("quartiles of runs", both(&quartiles)),
        ("rate", both(&|runs| format!("{}/s", bytes(runs.median(rate))))),
        ("achieved concurrency", both(&|runs| number(runs.median(achieved)))),
        ("median fetch", both(&|runs| seconds(runs.fetch_time(0.5)))),
        ("longest fetch", both(&|runs| seconds(runs.fetch_time(1.0)))),
        (
            "retries, rejections",
            both(&|runs| format!("{}, {}", retries(runs), runs.sum("rejections"))),
        ),
        ("waiting, all runs", both(&|runs| seconds(waiting(runs)))),
        ("median paired ratio", format!("{ratio}  ({name} {interval})")),
        ("ceiling", format!("{}  (the best schedule of the same fetches)", document.ceiling())),
    ];
    rows.extend(many.host_limit().map(|limit| ("host accepts", format!("{limit} connections"))));
    rows
}

#[test]
fn all_figures_follow_from_the_runs_in_the_json() {
    let limited = Network { host_limit: 12, ..Network::new(mixed(60)) };
    let quick =
        Network { connect: 0.0002, tls: 0.0, first_byte: 0.0003, ..Network::new(vec![14; 6]) };
    for (name, network, schedule) in [
        ("recomputed", Network::new(mixed(20)), Schedule::compare(10)),
        ("recomputed-few", Network::new(mixed(20)), Schedule::compare(4).with_rounds(4)),
        ("recomputed-many", Network::new(mixed(9)), Schedule::compare(3).with_rounds(20)),
        ("recomputed-limit", limited, Schedule::compare(20)),
        ("recomputed-quick", quick, Schedule::compare(6)),
        ("recomputed-sweep", Network::new(mixed(20)), Schedule::sweep(&[2, 4, 8, 16], 8)),
    ] {
        let findings = findings(name, network, schedule);
        let document = Document(serde_json::from_str(&report::json(&findings)).unwrap());
        let (text, page) = (report::text(&findings), report::html(&findings));
        for (row, expected) in rows(&document) {
            let line = format!("  {row:<22}{expected}\n");
            assert!(text.contains(&line), "{name}: {line} is not in\n{text}");
        }
        the_headline_and_the_curve_follow(&document, &text);
        the_distributions_and_the_files_follow(&document, &page);
    }
}

fn the_headline_and_the_curve_follow(document: &Document, text: &str) {
    let (ratio, interval, _) = document.speedup(document.summary());
    let headline = document.0["headline"].as_str().unwrap();
    assert!(headline.contains(&ratio) && headline.contains(&interval), "{ratio}: {headline}");
    let points = document.0["curve"]["points"].as_array();
    for (position, point) in points.into_iter().flatten().enumerate() {
        let (ratio, interval, level) = document.speedup(position);
        let cells: Vec<&str> = text
            .lines()
            .filter(|line| line.contains('|'))
            .map(|line| line.split('|').next().unwrap())
            .filter(|line| {
                line.split_whitespace().next() == Some(&point["concurrency"].to_string())
            })
            .collect();
        let [cells] = cells[..] else { panic!("one line for {point}\n{text}") };
        let shown: Vec<&str> = cells.split_whitespace().collect();
        assert_eq!(shown[1..].join(" "), format!("{ratio} {interval}"));
        assert!((point["level"].as_f64().unwrap() - level).abs() < 1e-9, "{point}");
        let wall = seconds(quantile(&document.runs(position).walls(), 0.5));
        assert_eq!(seconds(point["wall"].as_f64().unwrap()), wall);
    }
}

fn the_distributions_and_the_files_follow(document: &Document, page: &str) {
    for (side, position) in [("sequential", 0), ("concurrent", document.summary())] {
        let runs = document.runs(position);
        let times = &document.0[side]["fetch_times"];
        let percentiles = times["percentiles"].as_array().unwrap().iter().zip(0..);
        let further = [("median", 50), ("p90", 90), ("p99", 99), ("longest", 100)];
        let all = percentiles.chain(further.map(|(name, percent)| (&times[name], percent)));
        for (value, percent) in all {
            let expected = seconds(runs.fetch_time(f64::from(percent) / 100.0));
            assert_eq!(seconds(value.as_f64().unwrap()), expected, "{side} {percent}");
        }
        for (index, file) in document.files().iter().enumerate() {
            let expected = seconds(runs.file(index));
            assert_eq!(seconds(file[side].as_f64().unwrap()), expected, "{file}");
            // The page has the slowest files only.
            let is_shown = document.files().len() <= 24;
            assert!(!is_shown || page.contains(&format!("<td>{expected}</td>")), "{expected}");
        }
    }
}

#[test]
fn the_json_has_every_run_in_order_and_each_of_its_fetches() {
    let schedule = Schedule::compare(10);
    let findings = findings("complete", Network::new(mixed(20)), schedule);
    let json: Value = serde_json::from_str(&report::json(&findings)).unwrap();
    let rounds = json["rounds"].as_array().unwrap().iter();
    let mut runs: Vec<&Value> = rounds.flat_map(|round| round.as_array().unwrap()).collect();
    runs.push(&json["warm_up"]);
    runs.sort_by_key(|run| run["order"].as_u64());
    let mut end = 0.0;
    for (order, run) in runs.iter().enumerate() {
        assert_eq!(run["order"], order);
        let (start, wall) = (run["start"].as_f64().unwrap(), run["wall"].as_f64().unwrap());
        assert!(start > end - 1e-6, "run {order} starts at {start}, before {end}");
        end = start + wall;
        assert!(run["machine_cpu"]["total"].as_f64() > Some(0.0), "{order}");
        assert_eq!(run["fetches"].as_array().unwrap().len(), 20);
        let last =
            run["fetches"].as_array().unwrap().iter().map(|fetch| {
                fetch["start"].as_f64().unwrap() + phases(fetch, |name| name != "queue")
            });
        assert!((last.fold(0.0, f64::max) - wall).abs() < 1e-6, "run {order} ends with a fetch");
    }
    assert_eq!(runs.len(), 1 + 2 * 6);
}
