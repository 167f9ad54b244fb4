//! How often the intervals cover the truth, by simulation; and the table of it in the documentation.

use std::path::Path;

use http_concurrent::lab::interval::median_interval;
use http_concurrent::lab::schedule::Schedule;
use http_concurrent::lab::statistics::Sample;

use super::noise::{Noise, coverage};

/// The level that an interval of this many values states.
fn stated_level(pairs: u32) -> f64 {
    let values = Sample::new((0..pairs).map(f64::from).collect()).unwrap();
    median_interval(&values, 0.95).level
}

#[test]
fn an_interval_covers_the_truth_as_often_as_it_says() {
    const EXPERIMENTS: u32 = 4000;
    for pairs in [6, 7, 8, 11, 12, 20, 31] {
        let stated = stated_level(pairs);
        for noise in [Noise::Lognormal, Noise::StudentT2, Noise::Outliers] {
            let covered = coverage(noise, &Schedule::compare(10), pairs as usize, EXPERIMENTS);
            let error = (stated * (1.0 - stated) / f64::from(EXPERIMENTS)).sqrt();
            assert!((covered - stated).abs() < 4.0 * error, "{pairs}, {noise:?}: {covered}");
        }
    }
}

#[test]
fn the_intervals_of_a_sweep_hold_together() {
    const EXPERIMENTS: u32 = 4000;
    for levels in [&[2, 4][..], &[2, 4, 8], &[2, 4, 8, 16, 32], &[2, 3, 4, 5, 6, 7, 8, 9]] {
        let schedule = Schedule::sweep(levels, 2);
        for noise in [Noise::Lognormal, Noise::StudentT2, Noise::Outliers] {
            let covered = coverage(noise, &schedule, schedule.rounds(), EXPERIMENTS);
            // 95 % less three standard deviations of the simulation.
            assert!(covered > 0.9397, "{levels:?}, {noise:?}: {covered}");
        }
    }
}

/// Prints the table, too: `cargo test --test it lab::coverage -- --ignored --nocapture`.
#[test]
#[ignore = "simulates for half a minute"]
fn the_table_of_the_documentation_is_what_the_simulation_gives() {
    const EXPERIMENTS: u32 = 20_000;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lab/interval.rs");
    let documentation = std::fs::read_to_string(file).unwrap();
    let hold = |name: &str, stated: f64, schedule: &Schedule, rounds: usize| {
        let shares = Noise::ALL.map(|noise| coverage(noise, schedule, rounds, EXPERIMENTS));
        let row = [stated].into_iter().chain(shares).map(|share| format!("{:.1}", 100.0 * share));
        let row: Vec<String> = row.collect();
        println!("//! | {name} | {} |", row.join(" | "));
        let begin = format!("//! | {name} |");
        let documented = documentation.lines().find_map(|line| line.strip_prefix(&begin));
        let documented = documented.unwrap_or_else(|| panic!("no row {name}"));
        let cells = documented.split('|').filter_map(|cell| cell.trim().parse::<f64>().ok());
        let distance =
            cells.zip(&row).map(|(cell, new)| (cell - new.parse::<f64>().unwrap()).abs());
        // Three standard deviations of the simulation are half a point.
        assert!(distance.fold(0.0, f64::max) < 0.5, "{name}: {documented}, not {row:?}");
    };
    for pairs in 6..=31_u32 {
        let name = format!("{pairs} pairs");
        hold(&name, stated_level(pairs), &Schedule::compare(10), pairs as usize);
    }
    let sweep = Schedule::sweep(&[2, 4, 8, 16, 32], 2);
    hold("sweep", 0.95, &sweep, sweep.rounds());
}
