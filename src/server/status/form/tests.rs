mod sample;

use serde_json::{Value, json};

use sample::{certificate, connection, snapshot};

use super::*;
use crate::http::{HeadScan, RequestHead};
use crate::server::limits::phase::Phase;
use crate::server::status::counters::Counts;
use crate::server::tls::validity::ValidityState;

fn render_json(snapshot: &Snapshot) -> Value {
    serde_json::from_str(&StatusForm::Json.render(snapshot)).unwrap()
}

#[test]
fn the_numbers_are_the_same_in_all_forms() {
    let snapshot = snapshot();
    let html = StatusForm::Html(Refresh::On).render(&snapshot);
    let json = StatusForm::Json.render(&snapshot);
    let prometheus = StatusForm::Prometheus.render(&snapshot);
    for number in [112, 160, 131, 148, 140, 109, 104, 113] {
        assert!(json.contains(&format!(": {number}")), "{number}: {json}");
        assert!(prometheus.contains(&format!(" {number}\n")), "{number}: {prometheus}");
        assert!(html.contains(&number.to_string()), "{number}: {html}");
    }
    for number in (1_001..=1_024).map(|number| if number == 1_008 { 1_048_576_008 } else { number })
    {
        assert!(json.contains(&format!(": {number}")), "{number}: {json}");
        assert!(prometheus.contains(&format!(" {number}\n")), "{number}: {prometheus}");
        assert!(html.contains(&format!("<data value=\"{number}\"")), "{number}: {html}");
    }
    for number in [4_001, 4_002] {
        assert!(json.contains(&format!("\"waiting\": {number}")), "{number}: {json}");
        assert!(html.contains(&format!("<td class=\"number\">{number}</td>")), "{number}: {html}");
    }
    // Rows are not exposed to scrapers.
    for number in [2_000_001, 2_002, 2_003, 2_004, 2_005, 2_006, 2_007, 3_002, 3_003] {
        assert!(json.contains(&format!(": {number}")), "{number}: {json}");
        assert!(html.contains(&format!("<data value=\"{number}\"")), "{number}: {html}");
    }
}

#[test]
fn the_json_has_the_documented_names() {
    let connection = |phase: &str, doing: &str| {
        json!({
            "client": "192.0.2.1", "id": 3_001, "phase": phase, "in_phase_seconds": 3.2,
            "open_seconds": 3_661.0, "requests": 3_002, "bytes_sent": 3_003, "doing": doing,
        })
    };
    let expected = json!({
        "started": "2000-10-10T13:55:36.042Z",
        "uptime_seconds": 11_520.25,
        "limits": { "per_client": 112, "total": 160 },
        "rates": { "client": 1_048_576, "total": 3_145_728 },
        "held": 131,
        "crowded_from": 148,
        "clients": [
            {
                "client": "192.0.2.1", "active": 105, "idle": 102, "waiting": 4_001, "held_longest_seconds": 3_661.0,
                "bytes_sent": 2_000_001, "rejections": 2_002, "denials": 2_004, "wrong_passwords": 2_006, "exempt": false,
            },
            {
                "client": "2001:db8::/64", "active": 0, "idle": 0, "waiting": 4_002, "held_longest_seconds": 0.0,
                "bytes_sent": 0, "rejections": 2_003, "denials": 2_005, "wrong_passwords": 2_007, "exempt": true,
            },
        ],
        "connections": [
            connection("sending", "GET /<script>\"&"),
            connection("idle", ""),
            connection("idle", ""),
        ],
        "counters": {
            "connections": 1_001, "requests": 1_002,
            "responses": { "1xx": 1_003, "2xx": 1_004, "3xx": 1_005, "4xx": 1_006, "5xx": 1_007 },
            "bytes_sent": 1_048_576_008,
            "rejected": { "client": 1_009, "total": 1_010 }, "denied": 1_021, "wrong_passwords": 1_022, "unverified_passwords": 1_023,
            "would_reject": 1_011, "reclaimed": 1_012, "waited": { "served": 1_019, "rejected": 1_020 }, "accept_errors": 1_013,
            "spawn_failures": 1_014, "panics": 1_015, "head_timeouts": 1_016, "handshake_failures": 1_024, "slow_drops": 1_017,
            "log_lines_dropped": 1_018,
        },
        "waiting": 113,
        "threads": 140,
        "parked": 109,
        "lingering": 104,
        "stopping": false,
        "certificates": [
            {
                "file": "/tls/a.pem", "names": ["a.example", "192.0.2.1"], "not_before": "2026-09-01T00:00:00Z",
                "not_after": "2026-11-30T23:59:59Z", "state": "valid",
            },
            {
                "file": "/tls/\"b\".pem", "names": [], "not_before": "2026-09-01T00:00:00Z",
                "not_after": "2026-11-30T23:59:59Z", "state": "valid",
            },
        ],
    });
    assert_eq!(render_json(&snapshot()), expected);
}

#[test]
fn the_metrics_are_these() {
    let text = StatusForm::Prometheus.render(&snapshot());
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "start_time_seconds 971186136.042",
        "ready 1",
        "connections 131",
        "connections_limit{scope=\"client\"} 112",
        "connections_limit{scope=\"total\"} 160",
        "rate_limit_bytes_per_second{scope=\"client\"} 1048576",
        "rate_limit_bytes_per_second{scope=\"total\"} 3145728",
        "crowded_connections 148",
        "phase_connections{phase=\"fresh\"} 0",
        "phase_connections{phase=\"reading\"} 0",
        "phase_connections{phase=\"sending\"} 1",
        "phase_connections{phase=\"idle\"} 2",
        "phase_connections{phase=\"closing\"} 0",
        "clients 1",
        "waiting_connections 113",
        "threads 140",
        "parked_threads 109",
        "lingering_sockets 104",
        "certificate_not_after_seconds{file=\"/tls/a.pem\",names=\"a.example,192.0.2.1\"} 1796083199",
        "certificate_not_after_seconds{file=\"/tls/\\\"b\\\".pem\",names=\"\"} 1796083199",
        "accepted_connections_total 1001",
        "requests_total 1002",
        "responses_total{class=\"1xx\"} 1003",
        "responses_total{class=\"2xx\"} 1004",
        "responses_total{class=\"3xx\"} 1005",
        "responses_total{class=\"4xx\"} 1006",
        "responses_total{class=\"5xx\"} 1007",
        "sent_bytes_total 1048576008",
        "rejected_connections_total{scope=\"client\"} 1009",
        "rejected_connections_total{scope=\"total\"} 1010",
        "denied_connections_total 1021",
        "wrong_passwords_total 1022",
        "unverified_passwords_total 1023",
        "would_reject_connections_total 1011",
        "reclaimed_connections_total 1012",
        "waited_connections_total{result=\"served\"} 1019",
        "waited_connections_total{result=\"rejected\"} 1020",
        "accept_errors_total 1013",
        "spawn_failures_total 1014",
        "panics_total 1015",
        "head_timeouts_total 1016",
        "handshake_failures_total 1024",
        "slow_connections_dropped_total 1017",
        "log_lines_dropped_total 1018",
    ];
    assert_eq!(samples, expected.map(|sample| format!("http_server_conc_{sample}")));
}

#[test]
fn each_form_says_whether_the_server_is_stopping() {
    for is_stopping in [false, true] {
        let snapshot = Snapshot { is_stopping, ..snapshot() };
        let html = StatusForm::Html(Refresh::On).render(&snapshot);
        assert_eq!(html.contains("<title>stopping, 131 of 160"), is_stopping, "{html}");
        assert_eq!(html.contains("Stopping</strong>"), is_stopping, "{html}");
        assert_eq!(render_json(&snapshot)["stopping"], is_stopping);
        let metric = format!("http_server_conc_ready {}\n", u8::from(!is_stopping));
        assert!(StatusForm::Prometheus.render(&snapshot).contains(&metric), "{metric}");
    }
}

#[test]
fn certificates_are_shown_if_there_are_any_and_as_trouble_unless_they_are_valid() {
    use ValidityState::{EndsSoon, Expired, NotYetValid, Valid};
    let render = |certificates| {
        let snapshot = Snapshot { certificates, counters: Counts::default(), ..snapshot() };
        [StatusForm::Html(Refresh::On), StatusForm::Json, StatusForm::Prometheus]
            .map(|form| form.render(&snapshot))
    };
    for text in render(vec![]) {
        assert!(!text.to_ascii_lowercase().contains("certificate"), "{text}");
    }
    for (state, name) in [
        (Valid, "valid"),
        (EndsSoon, "ends soon"),
        (Expired, "expired"),
        (NotYetValid, "not yet valid"),
    ] {
        let [html, json, prometheus] = render(vec![certificate("/tls/<a>.pem", &[], state)]);
        let class = if state == Valid { "" } else { "trouble" };
        assert!(html.contains(&format!("<td class=\"{class}\">{name}</td>")), "{html}");
        assert!(html.contains("2026-11-30 23:59 UTC"), "{html}");
        assert!(html.contains("<bdi>/tls/&lt;a&gt;.pem</bdi>"), "{html}");
        assert!(json.contains(&format!("\"state\": \"{name}\"")), "{json}");
        assert!(prometheus.contains(" 1796083199\n"), "{prometheus}");
    }
}

#[test]
fn each_metric_is_introduced_once_with_its_help_and_its_type() {
    let text = StatusForm::Prometheus.render(&snapshot());
    assert!(text.ends_with('\n'));
    let mut families: Vec<&str> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, help) = help.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
        assert!(help.ends_with('.') && !help.contains('\\'), "{help}");
        assert!(!families.contains(&name), "{name} is there twice");
        families.push(name);
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
        assert_eq!(kind, if name.ends_with("_total") { "counter" } else { "gauge" }, "{name}");
        let mut samples = 0;
        while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = sample.rsplit_once(' ').unwrap();
            assert_eq!(series.split('{').next(), Some(name));
            assert!(value.parse::<f64>().is_ok(), "{sample}");
            samples += 1;
        }
        assert!(samples > 0, "{name} has no sample");
    }
}

#[test]
fn the_page_refreshes_itself_until_it_is_told_to_stop() {
    for (refresh, field, link) in [
        (Refresh::On, Some("5"), "<a href=\"?format=html&amp;refresh=off\">Stop refreshing</a>"),
        (Refresh::Off, None, "<a href=\"?format=html\">Refresh every 5 seconds</a>"),
    ] {
        let form = StatusForm::Html(refresh);
        let page = form.render(&snapshot());
        assert_eq!(form.refresh().as_deref(), field);
        // The first link of the page, so that a keyboard reaches it in time.
        let first = page.find("<a ").unwrap();
        assert!(page[first..].starts_with(link), "{page}");
        // It could not be stopped.
        assert!(!page.contains("http-equiv"), "{page}");
    }
    assert_eq!((StatusForm::Json.refresh(), StatusForm::Prometheus.refresh()), (None, None));
}

#[test]
fn the_page_runs_no_script_and_escapes_what_clients_sent() {
    let html = StatusForm::Html(Refresh::On).render(&snapshot());
    assert!(html.starts_with("<!DOCTYPE html>"));
    assert!(html.contains("GET /&lt;script&gt;&quot;&amp;"), "{html}");
    assert!(!html.contains("<script"), "{html}");
    for part in [
        "Rates: client 1 MiB/s, total 3 MiB/s",
        "131 of 160 connections",
        "3 h 12 min",
        "2000-10-10 13:55:36 UTC",
        "no limit",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

#[test]
fn each_meter_of_the_page_has_a_name() {
    let html = StatusForm::Html(Refresh::On).render(&snapshot());
    let meters: Vec<&str> = html.split("<meter ").skip(1).collect();
    assert!(meters.len() > 1, "{html}");
    for meter in meters {
        let (attributes, _) = meter.split_once('>').unwrap();
        assert!(attributes.contains("aria-label=\""), "{attributes}");
    }
}

#[test]
fn trouble_is_highlighted_unless_it_is_zero() {
    let mut snapshot = snapshot();
    assert!(StatusForm::Html(Refresh::On).render(&snapshot).contains("class=\"trouble\""));
    snapshot.counters = Counts { requests: 1, ..Counts::default() };
    assert!(!StatusForm::Html(Refresh::On).render(&snapshot).contains("class=\"trouble\""));
}

#[test]
fn the_page_lists_the_counters_trouble_last() {
    let labels = |snapshot: &Snapshot| -> Vec<String> {
        let html = StatusForm::Html(Refresh::On).render(snapshot);
        let after = html.split("<dt>").skip(1);
        after.map(|rest| rest.split_once("</dt>").unwrap().0.to_owned()).collect()
    };
    let mut expected = vec![
        "Connections",
        "Requests",
        "Bytes sent",
        "Responses 1xx",
        "Responses 2xx",
        "Responses 3xx",
        "Responses 4xx",
        "Responses 5xx",
        "Rejected, client's limit",
        "Rejected, total",
        "Denied addresses",
        "Wrong passwords",
        "Passwords not verified",
        "Would be rejected",
        "Idle ones closed for room",
        "Waited, then served",
        "Waited in vain",
        "Late heads",
        "Failed handshakes",
        "Too slow",
        "Failed accepts",
        "Failed threads",
        "Panics",
        "Lost log lines",
    ];
    assert_eq!(labels(&snapshot()), expected);
    let unless_zero = [
        "Responses 1xx",
        "Denied addresses",
        "Wrong passwords",
        "Passwords not verified",
        "Would be rejected",
        "Waited, then served",
        "Waited in vain",
        "Failed handshakes",
    ];
    expected.retain(|label| !unless_zero.contains(label));
    assert_eq!(labels(&Snapshot { counters: Counts::default(), ..snapshot() }), expected);
}

#[test]
fn the_page_stays_readable_with_many_connections_and_the_json_has_them_all() {
    let mut snapshot = snapshot();
    for (rows, left_out) in
        [(99, None), (100, None), (101, Some("1 more")), (999, Some("899 more"))]
    {
        snapshot.connections = vec![connection(Phase::Idle, &"x".repeat(9_999)); rows];
        let html = StatusForm::Html(Refresh::On).render(&snapshot);
        assert_eq!(html.matches("<td>idle</td>").count(), rows.min(100));
        assert_eq!(html.contains("more, which the JSON lists"), left_out.is_some(), "{rows}");
        assert!(left_out.is_none_or(|text| html.contains(text)), "{rows}");
        assert!(!html.contains(&"x".repeat(201)), "{rows}");
        assert_eq!(render_json(&snapshot)["connections"].as_array().unwrap().len(), rows);
    }
}

#[test]
fn the_query_chooses_the_form_and_then_the_accept_field() {
    use StatusForm::{Json, Prometheus};
    const HTML: StatusForm = StatusForm::Html(Refresh::On);
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (query, accept, expected) in [
        (None, "", Some(HTML)),
        (None, "*/*", Some(HTML)),
        (None, BROWSER, Some(HTML)),
        (None, "image/png", Some(HTML)),
        (None, "application/json", Some(Json)),
        (None, "text/html;q=0.5, application/json", Some(Json)),
        (None, "text/plain", Some(Prometheus)),
        (None, "text/plain;q=0.5, text/html", Some(HTML)),
        (
            None,
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
            Some(Prometheus),
        ),
        (None, "text/plain; version=0.0.4; charset=utf-8, */*", Some(Prometheus)),
        (None, "Application/OpenMetrics-Text", Some(Prometheus)),
        (Some("format=json"), BROWSER, Some(Json)),
        (Some("format=html"), "application/json", Some(HTML)),
        (Some("a=b&format=prometheus&format=json"), BROWSER, Some(Prometheus)),
        (Some("a=b"), "application/json", Some(Json)),
        (Some(""), "", Some(HTML)),
        (Some("format"), "", Some(HTML)),
        (Some("refresh=off"), BROWSER, Some(StatusForm::Html(Refresh::Off))),
        (Some("format=html&refresh=off"), "", Some(StatusForm::Html(Refresh::Off))),
        (Some("refresh=on"), "", Some(HTML)),
        (Some("refresh=off&format=json"), "", Some(Json)),
        (Some("format="), "", None),
        (Some("format=xml"), "*/*", None),
        (Some("format=JSON"), "*/*", None),
    ] {
        let mut head = RequestHead::default();
        let bytes = format!("GET / HTTP/1.1\r\nAccept: {accept}\r\n\r\n");
        head.receive(&mut HeadScan::default(), bytes.as_bytes()).unwrap().unwrap();
        let chosen = StatusForm::choose(query.map(str::as_bytes), &head.fields());
        assert_eq!(chosen, expected, "{query:?} {accept:?}");
    }
}
