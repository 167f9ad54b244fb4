//! The time of a round trip to each host, from the opening of connections.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::experiment::Trial;
use super::super::figures::Seconds;
use super::workload::origin;

/// The round trip to a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoundTrip {
    /// Scheme, host and port.
    pub host: String,
    /// The shortest opening of a connection for one of its URLs: one round trip, and the work of both ends. To
    /// the proxy, if there is one.
    pub time: Seconds,
}

/// One for each host to which a connection was opened.
pub(super) fn round_trips(trial: &Trial) -> Vec<RoundTrip> {
    let mut least: BTreeMap<&str, Duration> = BTreeMap::new();
    let runs = trial.rounds.iter().flatten().chain([&trial.warm_up]);
    // Several attempts may have opened several connections.
    let first_attempts = runs.flat_map(|run| &run.fetches).filter(|fetch| fetch.attempts == 1);
    for fetch in first_attempts.filter(|fetch| !fetch.phases.connect.is_zero()) {
        let least = least.entry(origin(&fetch.url)).or_insert(Duration::MAX);
        *least = fetch.phases.connect.min(*least);
    }
    least
        .into_iter()
        .map(|(host, time)| RoundTrip { host: host.to_owned(), time: time.into() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::experiment::EndReason;
    use super::super::super::schedule::Schedule;
    use super::super::super::synthetic::synthetic_run;
    use super::*;

    #[test]
    fn the_shortest_opening_for_each_host_counts() {
        let millis = Duration::from_millis;
        let mut warm_up = synthetic_run(4, 4, millis(50));
        let [first, second, third, fourth] = &mut warm_up.fetches[..] else {
            panic!("four fetches")
        };
        first.phases.connect = millis(12);
        second.phases.connect = millis(10);
        // The sum of two openings, and a fetch on a kept connection.
        (third.phases.connect, third.attempts) = (millis(3), 2);
        (fourth.url, fourth.phases.connect) = ("https://other.test/x".into(), millis(30));
        let trial = Trial {
            schedule: Schedule::compare(4),
            warm_up,
            rounds: Vec::new(),
            end: EndReason::Complete,
            elapsed: millis(50),
        };
        let shown =
            round_trips(&trial).into_iter().map(|trip| format!("{} {}", trip.host, trip.time));
        let expected = ["http://files.test 10.0 ms", "https://other.test 30.0 ms"];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }
}
