//! Connections and requests that the server did not take.

use super::super::super::figures::{Ratio, Seconds};
use super::super::super::statistics::as_f64;
use super::super::evidence::{Evidence, HostEvidence};
use super::cause::{Bottleneck, BottleneckKind};

/// The fraction of a run that one lane must lose by late openings. Without them the run would be shorter by
/// up to as much.
const LOST: f64 = 0.3;
/// How many times as many fetches as the limit that was found must be accepted together, so that it cannot
/// be a limit of connections. (The limit that is found changes by an eighth, and when shares are found anew.)
const ABOVE_LIMIT: f64 = 2.0;

pub(super) fn one_url(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    (evidence.urls.len() == 1).then(|| {
        let sentence = "There is only one URL, so nothing can be fetched concurrently.";
        Bottleneck::new(BottleneckKind::OneUrl, sentence)
    })
}

/// Connections opened only after a repeated SYN, and with one connection none did.
pub(super) fn listen_queue(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let late = &evidence.late_openings;
    if late.connects + late.first_bytes < 1.0 || late.lost < LOST * evidence.concurrent.wall {
        return None;
    }
    let wall = Seconds::new(evidence.concurrent.wall);
    let sentence = if late.connects > 0.0 {
        format!(
            "The server's listen queue: {} of {} connections opened only after the system repeated a lost \
             SYN, a second or more later (a run took {wall}), and with one connection none did. A queue \
             too short for the connections that arrive together drops them; Python's http.server has 5 \
             places (request_queue_size).",
            late.connects.round(),
            late.opened.round()
        )
    } else {
        format!(
            "The server's listen queue, or pauses of the server: the first responses of {} of {} \
             connections came just after a whole second (a run took {wall}), as after handshakes \
             that a full queue drops, and with one connection none did.",
            late.first_bytes.round(),
            late.opened.round()
        )
    };
    Some(Bottleneck::new(BottleneckKind::ListenQueue, sentence))
}

/// A host rejected requests that no limit of connections can explain.
pub(super) fn request_rate(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    if evidence.is_at_full_speed() {
        return None;
    }
    let reason = evidence.hosts.iter().find_map(unlike_connections)?;
    let many = &evidence.concurrent;
    let rate = Ratio::new(as_f64(evidence.urls.len()) / many.wall);
    let rejected = many.too_many.round();
    let sentence = format!(
        "The host limits the requests in a time, not the connections: {reason}. {rejected} were rejected in \
         a run of {}, in which {rate} files a second were fetched.",
        Seconds::new(many.wall)
    );
    Some(Bottleneck::new(BottleneckKind::RequestRate, sentence))
}

/// Why the rejections of a host are not due to a limit of connections.
fn unlike_connections(host: &HostEvidence<'_>) -> Option<String> {
    if host.concurrent.too_many < 1.0 {
        return None;
    }
    // A connection of the run before may still count when the first request arrives.
    if host.sequential.too_many > 1.0 {
        return Some("it also rejected requests that one connection sent one after another".into());
    }
    let together = host.concurrent.accepted_together;
    let exceeds_limit = host.limit.is_some_and(|limit| together >= ABOVE_LIMIT * as_f64(limit));
    exceeds_limit
        .then(|| format!("it rejected requests although it had taken {together} at a time before"))
}
