//! The verdict on the run: a line for each requirement, with what was measured.

use std::sync::atomic::{AtomicU64, Ordering};

use super::phases::{Record, count};
use super::visit::Account;
use super::{MOST_GROWTH_KB, SKIPPED_PHASES};

/// Prints the tables of clients and findings; true if all findings hold.
pub(crate) fn report(record: &Record) -> bool {
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "\n| clients | visits | responses checked | received 503 | closed between requests | cut off | wrong |\n\
         |---|---|---|---|---|---|---|"
    );
    for (name, account) in &record.accounts {
        let Account { visits, answers, rejected, reclaimed, cut_off, wrong, .. } = account;
        let [visits, answers, rejected, reclaimed, cut_off, wrong] =
            [visits, answers, rejected, reclaimed, cut_off, wrong].map(read);
        println!(
            "| {name} | {visits} | {answers} | {rejected} | {reclaimed} | {cut_off} | {wrong} |"
        );
    }
    for (name, account) in &record.accounts {
        for description in account.descriptions() {
            println!("wrong, {name}: {description}");
        }
    }
    println!("\n| must hold | found | |\n|---|---|---|");
    let findings = findings(record);
    for (must_hold, found, holds) in &findings {
        let verdict = if *holds { "holds" } else { "**does not hold**" };
        println!("| {must_hold} | {found} | {verdict} |");
    }
    for line in record.diagnostics.lines().filter(|line| is_notable(line)).take(20) {
        println!("the server said: {line}");
    }
    println!("\n{:.1} minutes in all", record.took.as_secs_f64() / 60.0);
    findings.iter().all(|(_, _, holds)| *holds)
}

/// Lines of the diagnostic log, except those about provoked rejections.
fn is_notable(line: &str) -> bool {
    (line.contains(" WARN ") || line.contains(" ERROR ")) && !line.contains("reject")
}

fn findings(record: &Record) -> Vec<(&'static str, String, bool)> {
    let (before, status) = (&record.before, &record.status);
    let sum = |figure: fn(&Account) -> &AtomicU64| -> u64 {
        record.accounts.iter().map(|(_, account)| figure(account).load(Ordering::Relaxed)).sum()
    };
    let (answers, wrong) = (sum(|account| &account.answers), sum(|account| &account.wrong));
    let reclaimed = sum(|account| &account.reclaimed);
    let (visits, cut_off) = (sum(|account| &account.visits), sum(|account| &account.cut_off));
    let phases = &record.phases;
    let most = |figure: fn(&super::phases::Phase) -> usize| phases.iter().map(figure).max();
    let descriptors = most(|phase| phase.idle.descriptors).unwrap_or(0);
    let threads = most(|phase| phase.idle.threads).unwrap_or(0);
    let held = phases.iter().map(|phase| phase.held).max().unwrap_or(0);
    let growth = growth(&phases.iter().map(|phase| phase.idle.rss_kb as f64).collect::<Vec<_>>());
    let last = phases.last().map_or(0, |phase| phase.idle.rss_kb);
    let [requests, dropped, panics, spawn_failures, accept_errors, idle_closed] =
        ["requests", "log_lines_dropped", "panics", "spawn_failures", "accept_errors", "reclaimed"]
            .map(|name| count(status, &format!("/counters/{name}")));
    let log = &record.log;
    vec![
        ("every response is right", format!("{wrong} of {answers} wrong"), wrong == 0),
        (
            "no kept connection is closed between requests for its slot alone",
            format!("{reclaimed}, of {idle_closed} that the server closed for room"),
            reclaimed <= idle_closed,
        ),
        (
            "hardly a visit is cut off while it sends content that is refused",
            format!("{cut_off} of {visits}"),
            cut_off * 10_000 <= visits,
        ),
        (
            "descriptors return",
            format!("{} before, at most {descriptors} after a rest", before.descriptors),
            descriptors <= before.descriptors,
        ),
        (
            "threads return",
            format!("{} before, at most {threads} after a rest", before.threads),
            threads <= before.threads,
        ),
        ("no slot is leaked", format!("at most {held} held after a rest"), held == 0),
        (
            "each further phase costs less than 50 kB of idle memory",
            format!(
                "{} kB before, {last} kB at the end, {growth:+.0} kB a phase after the first {}",
                before.rss_kb, SKIPPED_PHASES
            ),
            growth < MOST_GROWTH_KB,
        ),
        (
            "the lines of the access log plus those dropped equal the requests",
            // The last status does not count its own request.
            format!("{} + {dropped} of {}", log.lines, requests + 1),
            log.lines + dropped == requests + 1,
        ),
        (
            "every line is complete, through rotations and storms of signals",
            format!(
                "{} damaged; {} rotations, {} signals",
                log.damaged, log.rotations, record.signals
            ),
            log.damaged == 0,
        ),
        (
            "no panic, no lack of threads, no error of accept",
            format!("{panics}, {spawn_failures}, {accept_errors}"),
            panics + spawn_failures + accept_errors == 0,
        ),
        (
            "SIGTERM ends it with status 0",
            if record.has_ended_well { "it does" } else { "it does not" }.to_owned(),
            record.has_ended_well,
        ),
    ]
}

/// The growth of a figure per phase after the first ones: the median of the slopes between all pairs of
/// phases (Theil–Sen), which is robust against outliers.
fn growth(figures: &[f64]) -> f64 {
    let figures = &figures[SKIPPED_PHASES.min(figures.len())..];
    let mut slopes = Vec::new();
    for (later, figure) in figures.iter().enumerate() {
        let earlier = figures[..later].iter().enumerate();
        slopes.extend(earlier.map(|(at, before)| (figure - before) / (later - at) as f64));
    }
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or(0.0)
}
