//! The pure parts of the benchmark beside peers: its arithmetic, and the report of `wrk`.

#[path = "../bench/peers/statistics.rs"]
mod statistics;
#[path = "../bench/peers/wrk_report.rs"]
mod wrk_report;

use statistics::{Spread, percentile};
use wrk_report::Counted;

const CLEAN: &str = "Running 1s test @ http://127.0.0.1:8080/14b.txt
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
Latency   395.26us  320.23us   5.87ms   87.33%
Req/Sec    80.04k     5.51k   87.60k    72.73%
  87573 requests in 1.10s, 20.63MB read
Requests/sec:  79614.32
Transfer/sec:     18.75MB
";

#[test]
fn the_median_is_the_middle_or_the_mean_of_both() {
    for (figures, expected) in [
        (&[3.0][..], (3.0, 3.0, 3.0)),
        (&[4.0, 1.0], (2.5, 1.0, 4.0)),
        (&[9.0, 1.0, 2.0], (2.0, 1.0, 9.0)),
        (&[1.0, 8.0, 3.0, 2.0], (2.5, 1.0, 8.0)),
    ] {
        let (median, least, most) = expected;
        assert_eq!(Spread::of(figures), Spread { median, least, most }, "{figures:?}");
    }
}

#[test]
fn ratios_are_taken_round_by_round() {
    let spread = Spread::of_ratios(&[1.0, 20.0, 3.0], &[2.0, 10.0, 3.0]);
    assert_eq!(spread, Spread { median: 1.0, least: 0.5, most: 2.0 });
    assert_eq!(spread.to_text(2), "1.00 [0.50 to 2.00]");
}

#[test]
fn a_percentile_is_one_of_the_figures() {
    let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
    for (percent, expected) in [(0, 1.0), (1, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)] {
        assert_eq!(percentile(&hundred, percent).to_bits(), f64::to_bits(expected), "{percent}");
    }
    assert_eq!(percentile(&[7.0, 8.0, 9.0], 99).to_bits(), 9.0_f64.to_bits());
}

#[test]
fn a_report_is_read() {
    let counted = |socket_errors, refused| Counted {
        requests: 87573.0,
        requests_per_second: 79614.32,
        socket_errors,
        refused,
    };
    assert_eq!(Counted::parse(CLEAN), Some(counted(0, 0)));
    let errors = "  Socket errors: connect 1, read 20, write 300, timeout 4000\n";
    let refused = "  Non-2xx or 3xx responses: 17\n";
    let at = CLEAN.find("Requests/sec").unwrap();
    let with = |lines: &str| format!("{}{lines}{}", &CLEAN[..at], &CLEAN[at..]);
    assert_eq!(Counted::parse(&with(errors)), Some(counted(4321, 0)));
    assert_eq!(Counted::parse(&with(&(errors.to_owned() + refused))), Some(counted(4321, 17)));
    assert_eq!(Counted::parse("unable to connect to 127.0.0.1:1 Connection refused\n"), None);
}
