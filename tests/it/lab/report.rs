//! The verdict of each kind of experiment, and equal numbers in all three renderings.

use std::path::Path;
use std::time::Duration;

use http_concurrent::lab::experiment::{Trial, conduct};
use http_concurrent::lab::figures::{Rate, Ratio, Seconds};
use http_concurrent::lab::findings::{BodyHandling, BottleneckKind, Claim, Conditions, Findings};
use http_concurrent::lab::report::{self, Chapter, Series};
use http_concurrent::lab::scaling::Knee;
use http_concurrent::lab::schedule::{Schedule, automatic_levels};
use http_concurrent::printable::is_printable;

use super::simulation::{Network, Simulation};

fn trial(network: Network, schedule: Schedule) -> Trial {
    let (mut simulation, watch) = Simulation::new(network);
    conduct(schedule, &mut simulation, &watch)
}

/// The findings; their renderings are written to files for inspection.
pub(crate) fn findings(name: &str, network: Network, schedule: Schedule) -> Findings {
    let conditions = Conditions {
        started: "2026-03-01 12:00:00 UTC".to_owned(),
        client: "http_client_concurrent 0.1.0".to_owned(),
        servers: vec!["http_server_conc/0.1.0".to_owned()],
        system: "Linux 6.18, x86_64".to_owned(),
        processors: 2,
        processor_model: Some("Example CPU at 2.5 GHz".to_owned()),
        command: "http_client_concurrent -i list.txt --compare".to_owned(),
        bodies: BodyHandling::Saved,
        further: vec![("Name look-ups".to_owned(), "once a run".to_owned())],
        ..Conditions::default()
    };
    let findings = Findings::new(trial(network, schedule), conditions);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(format!("{name}.html")), report::html(&findings)).unwrap();
    std::fs::write(directory.join(format!("{name}.txt")), report::text(&findings)).unwrap();
    std::fs::write(directory.join(format!("{name}.json")), report::json(&findings)).unwrap();
    findings
}

/// This number of files of 20 to 400 KB.
pub(crate) fn mixed(files: usize) -> Vec<u64> {
    (0..files).map(|index| 20_000 + (index as u64 * 7919 % 20) * 20_000).collect()
}

fn cause(findings: &Findings) -> Option<BottleneckKind> {
    findings.bottleneck.as_ref().map(|bottleneck| bottleneck.kind)
}

#[test]
fn twenty_files_gain() {
    let schedule = Schedule::sweep(&[1, 2, 4, 8, 16], 10);
    let findings = findings("twenty", Network::new(mixed(20)), schedule);
    assert_eq!(findings.claim, Claim::Faster);
    assert!(findings.curve.as_ref().unwrap().has_knee_at(10));
    let sentence = &findings.bottleneck.as_ref().unwrap().sentence;
    assert!(sentence.ends_with("but 16 were not faster."), "{sentence}");
    assert!(findings.speedup.unwrap().ratio <= findings.ceiling.unwrap());
}

#[test]
fn unprintable_characters_are_escaped_in_json_and_not_in_text() {
    const RISKY: &str = "\u{7f}\u{85}\u{202e}\u{2028}\u{200b}\u{feff}";
    let is_risky = |c: &char| *c != '\n' && !is_printable(*c);
    let mut findings = findings("risky", Network::new(mixed(2)), Schedule::compare(2));
    findings.headline = RISKY.to_owned();
    let title = RISKY.to_owned();
    let experiments = vec![Chapter { title: title.clone(), findings: findings.clone() }];
    let series = Series { title, introduction: String::new(), experiments };
    for (json, field) in [(report::json(&findings), "/headline"), (series.json(), "/title")] {
        assert_eq!(json.chars().find(is_risky), None, "{field}");
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(document.pointer(field).unwrap(), RISKY);
    }
    for text in [report::text(&findings), series.text(), series.table()] {
        assert_eq!(text.chars().find(is_risky), None, "{text:?}");
        assert!(text.contains("??????"), "{text}");
    }
}

/// Text and page show the numbers of the JSON.
#[test]
fn the_three_renderings_show_the_same_numbers() {
    let schedule = Schedule::sweep(&[1, 2, 4, 8, 16], 10);
    let findings = findings("same", Network::new(mixed(20)), schedule);
    let json: serde_json::Value = serde_json::from_str(&report::json(&findings)).unwrap();
    assert_eq!(json["schema"], report::SCHEMA);
    let seconds = |value: &serde_json::Value| Seconds::new(value.as_f64().unwrap()).to_string();
    let ratio = |value: &serde_json::Value| Ratio::new(value.as_f64().unwrap()).to_string();
    let mut shown = vec![
        json["headline"].as_str().unwrap().to_owned(),
        json["limit"]["sentence"].as_str().unwrap().to_owned(),
        ratio(&json["ceiling"]),
        json["curve"]["notes"][0].as_str().unwrap().to_owned(),
        json["curve"]["notes"][1].as_str().unwrap().to_owned(),
    ];
    for side in [&json["sequential"], &json["concurrent"]] {
        shown.extend(["wall", "lower_quartile", "upper_quartile"].map(|key| seconds(&side[key])));
        shown.push(seconds(&side["fetch_times"]["median"]));
        shown.push(seconds(&side["fetch_times"]["longest"]));
        shown.push(Rate::new(side["rate"].as_f64().unwrap()).to_string());
        shown.push(ratio(&side["achieved_concurrency"]));
    }
    for point in json["curve"]["points"].as_array().unwrap().iter().skip(1) {
        shown.push(ratio(&point["ratio"]));
        let interval = &point["interval"];
        shown.push(format!("{} to {}", ratio(&interval[0]), ratio(&interval[1])));
    }
    for rendering in [report::text(&findings), report::html(&findings)] {
        let flat = rendering.split_whitespace().collect::<Vec<_>>().join(" ");
        for number in &shown {
            assert!(flat.contains(number.as_str()), "{number} is not in\n{rendering}");
        }
    }
}

/// Intervals may be long, such as `0.00876 to 0.00927`.
#[test]
fn the_columns_of_the_curve_fit_their_longest_interval() {
    let schedule = Schedule::sweep(&[1, 2, 4, 100], 4);
    let mut findings = findings("wide", Network::new(mixed(20)), schedule);
    let points = &mut findings.curve.as_mut().unwrap().points;
    points[1].interval = Some((Ratio::new(0.008_76), Ratio::new(0.009_27)));
    let rows = points.len();
    let text = report::text(&findings);
    let border = |line: &str| line.find(['|', '+']);
    let begin = text.lines().position(|line| line.contains("o measured")).unwrap();
    let lines: Vec<&str> = text.lines().skip(begin + 1).take(rows + 1).collect();
    assert!(lines.iter().all(|line| border(line) == border(lines[0])), "{text}");
    let axis = text.lines().nth(begin + 2 + rows).unwrap();
    assert_eq!(
        axis.find('1'),
        lines[0].rfind('o'),
        "1 is below the mark of one connection\n{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn the_interval_of_a_knee_is_drawn() {
    let mut findings = findings("knee", Network::new(mixed(20)), Schedule::sweep(&[1, 2, 4, 8], 4));
    for (low, high, lines) in [(2, 8, 1), (4, 4, 0)] {
        findings.curve.as_mut().unwrap().knee = Some(Knee { concurrency: 4, low, high });
        assert_eq!(report::html(&findings).matches("<line class=\"knee\"").count(), lines);
    }
}

#[test]
fn the_gain_of_more_connections_is_reported() {
    for (levels, expected) in
        [(&[4][..], "More may be faster."), (&[4, 10], "With 10 the speedup was 8.3")]
    {
        let findings = findings("beyond", Network::new(mixed(20)), Schedule::sweep(levels, 4));
        assert_eq!(cause(&findings), Some(BottleneckKind::Connections));
        let sentence = &findings.bottleneck.as_ref().unwrap().sentence;
        assert!(sentence.contains(expected), "{sentence}");
    }
}

#[test]
fn a_link_that_one_connection_fills_is_named_as_the_limit() {
    let network = Network { lane_rate: 12.5e6, ..Network::new(vec![4_000_000; 8]) };
    let findings = findings("full", network, Schedule::compare(8));
    assert_eq!(cause(&findings), Some(BottleneckKind::Link));
    assert!(findings.speedup.unwrap().ratio.value() < 1.5);
}

/// Screen readers find their way by headings and captions; a keyboard stops once at each waterfall, at the
/// table of its fetches.
#[test]
fn pages_have_one_title_levels_without_gaps_captions_and_few_tab_stops() {
    let schedule = || Schedule::sweep(&[1, 2, 4, 8], 8);
    let findings = findings("outline", Network::new(mixed(20)), schedule());
    let chapter = || Chapter { title: "A chapter".to_owned(), findings: findings.clone() };
    let series = Series {
        title: "Two".to_owned(),
        introduction: String::new(),
        experiments: vec![chapter(), chapter()],
    };
    for page in [report::html(&findings), series.html()] {
        let levels = page.match_indices("<h").filter_map(|(at, _)| {
            let level = page[at + 2..].chars().next()?.to_digit(10)?;
            Some(level)
        });
        let levels: Vec<u32> = levels.collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{levels:?}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
        for (at, _) in page.match_indices("<table") {
            let (_, content) = page[at..].split_once('>').unwrap();
            assert!(content.starts_with("<caption>"), "{}", &content[..200]);
        }
        assert!(!page.contains("tabindex=\"0\"") && !page.contains("<script"), "{page}");
        let waterfalls = page.matches("<svg class=\"plot lanes\"").count();
        let enlarged = page.matches(", enlarged:").count() / 2;
        assert_eq!(page.matches("<summary>").count(), waterfalls - enlarged);
    }
}

#[test]
fn each_connection_has_a_lane_or_the_page_says_why_not() {
    for (files, connections, said) in [
        (400, 64, "each column shows the fraction of"),
        (400, 100, "A row stands for 2 connections."),
        (20, 64, "Of the 64 connections, the last 44 fetched nothing and are not drawn."),
    ] {
        let schedule = Schedule::compare(connections);
        let findings = findings("crowd", Network::new(vec![20_000; files]), schedule);
        assert_eq!(findings.claim, Claim::Faster);
        let page = report::html(&findings);
        assert!(page.contains(said), "{said}\n{page}");
        if connections == 64 && files == 400 {
            assert!(!page.contains("A row stands for"), "{page}");
        }
    }
    // Both of two equal runs have idle connections.
    let equal = findings("equal", Network::new(vec![20_000; 20]), Schedule::null(64));
    assert_eq!(report::html(&equal).matches("fetched nothing and are not drawn").count(), 1);
}

#[test]
fn two_files_gain_at_most_twice() {
    let findings = findings("two", Network::new(vec![2_000_000, 1_500_000]), Schedule::compare(10));
    assert_eq!(findings.claim, Claim::Faster);
    assert_eq!(cause(&findings), Some(BottleneckKind::FileCount));
    assert!(findings.ceiling.unwrap().value() < 2.0);
}

#[test]
fn two_thousand_files_make_a_small_page() {
    let schedule = Schedule::sweep(&automatic_levels(2000), 32);
    let findings = findings("many", Network::new(mixed(2000)), schedule);
    assert_eq!(findings.claim, Claim::Faster);
    assert_eq!(cause(&findings), Some(BottleneckKind::Link));
    let page = report::html(&findings);
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

#[test]
fn a_single_file_gains_nothing_that_can_be_measured() {
    let findings = findings("single", Network::new(vec![300_000]), Schedule::compare(10));
    assert_eq!(findings.claim, Claim::NotMeasurable);
    assert_eq!(cause(&findings), Some(BottleneckKind::OneUrl));
    assert!(findings.headline.contains("includes 1"), "{}", findings.headline);
}

#[test]
fn a_host_with_a_limit_is_named_as_the_limit() {
    let network = Network { host_limit: 12, ..Network::new(mixed(60)) };
    let findings = findings("limited", network, Schedule::compare(20));
    assert_eq!(findings.claim, Claim::Faster);
    assert_eq!(cause(&findings), Some(BottleneckKind::HostLimit));
    let many = findings.concurrent.as_ref().unwrap();
    assert_eq!(many.host_limit, Some(12));
    assert!(findings.ceiling.unwrap().value() <= 12.0);
    assert!(many.rejections > 0 && many.waiting.value() > 0.0);
}

#[test]
fn a_failing_url_forbids_the_claim_and_is_named() {
    let network =
        Network { failing: Some((|index| index == 7, "404 Not Found")), ..Network::new(mixed(20)) };
    let findings = findings("failing", network, Schedule::compare(10));
    let Claim::Refused { reason } = &findings.claim else { panic!("{:?}", findings.claim) };
    assert!(reason.contains("file8.bin: 404 Not Found"), "{reason}");
    assert!(
        findings.speedup.is_none() && findings.bottleneck.is_none() && findings.ceiling.is_none()
    );
    for rendering in [report::text(&findings), report::html(&findings), report::json(&findings)] {
        assert!(rendering.contains("404 Not Found"));
    }
}

#[test]
fn an_unreachable_host_is_tried_once() {
    let network =
        Network { failing: Some((|_| true, "connection refused")), ..Network::new(mixed(20)) };
    let findings = findings("unreachable", network, Schedule::compare(10));
    assert_eq!(findings.pairs.measured, 0);
    assert!(findings.headline.starts_with("No speedup is claimed: none of the 20 URLs"));
    assert!(report::html(&findings).contains("discarded warm-up"));
}

#[test]
fn too_little_time_gives_a_ratio_and_no_claim() {
    let schedule = Schedule::compare(10).with_max_time(Duration::from_secs(12));
    let findings = findings("hurried", Network::new(mixed(20)), schedule);
    assert_eq!(findings.claim, Claim::TooFewPairs);
    assert!(findings.pairs.measured < 5 && findings.speedup.is_some());
    assert!(
        findings.notes.iter().any(|note| note.contains("time limit of 12.0 s")),
        "{:?}",
        findings.notes
    );
}

#[test]
fn a_series_calls_the_range_of_too_few_pairs_no_interval() {
    let chapter = |title: &str, rounds| {
        let schedule = Schedule::compare(10).with_rounds(rounds);
        let findings = findings(title, Network::new(mixed(20)), schedule);
        Chapter { title: title.to_owned(), findings }
    };
    let experiments = vec![chapter("enough", 6), chapter("hasty", 4)];
    let series = Series { title: "Both".to_owned(), introduction: String::new(), experiments };
    let (table, page) = (series.table(), series.html());
    let shown = series.experiments.iter().map(|chapter| {
        let (low, high) = chapter.findings.speedup.unwrap().interval.unwrap();
        format!("{low} to {high}")
    });
    let shown: Vec<String> = shown.collect();
    let expected = [format!("{} (97 %)", shown[0]), format!("{} (range of 4 pairs)", shown[1])];
    for (line, interval) in table.lines().rev().take(2).zip(expected.iter().rev()) {
        assert!(line.ends_with(interval.as_str()), "{interval}\n{table}");
    }
    for interval in expected {
        assert!(page.contains(&interval), "{interval}\n{page}");
    }
}

#[test]
fn small_files_nearby_that_gain_are_not_called_too_small() {
    let near = Network {
        connect: 0.000_1,
        tls: 0.0,
        first_byte: 0.000_2,
        lane_rate: 1e9,
        link_rate: 1e9,
        ..Network::new(vec![14; 10])
    };
    let findings = findings("small", near, Schedule::compare(10));
    assert_eq!(cause(&findings), Some(BottleneckKind::FileCount));
    for rendering in [report::text(&findings), report::html(&findings)] {
        assert!(rendering.contains("140 B in all, 14 B each"), "{rendering}");
    }
}

#[test]
fn text_from_a_url_or_server_is_escaped() {
    let failure = "<script>alert(1)</script>\u{1b}[31m";
    let network = Network { failing: Some((|_| true, failure)), ..Network::new(mixed(2)) };
    let findings = findings("hostile", network, Schedule::compare(10));
    assert!(!report::html(&findings).contains("<script"));
    assert!(!report::text(&findings).contains('\u{1b}'));
}

#[test]
fn the_same_runs_give_the_same_renderings() {
    let render =
        || report::json(&findings("again", Network::new(mixed(20)), Schedule::compare(10)));
    assert_eq!(render(), render());
}
