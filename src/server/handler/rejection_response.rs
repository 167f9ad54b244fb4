//! The response to a rejected connection, readable by people and programs.
//!
//! `lingering` decides when it is sent and closes the connection.

use std::time::Duration;

use super::rate_limit_fields::{rate_limit, rate_limit_policy};
use super::response::Response;
use crate::http::negotiation::MediaType;
use crate::http::{Persistence, Status, Version};
use crate::server::limits::client::{Client, Identification};
use crate::server::limits::lingering::encoded_response::EncodedResponse;
use crate::server::limits::rejection::{Rejection, Scope};

/// The longest expected wait, in seconds.
const MAX_EXPECTED_WAIT: u64 = 60;

/// The response to a rejected connection. `active` is how many connections are within a request: the
/// client's or all, by the limit that has been reached.
pub(crate) fn rejection_response(
    rejection: &Rejection,
    active: usize,
    identification: &Identification,
) -> Response {
    let retry_after = retry_after(rejection);
    let reset = Some(Duration::from_secs(retry_after));
    let text = explanation(rejection, active, identification);
    Response::text(rejection.status(), MediaType::Plain, text)
        .field("Retry-After", retry_after.to_string())
        .field("RateLimit-Policy", rate_limit_policy(rejection.scope, rejection.limit))
        .field("RateLimit", rate_limit(rejection.scope, 0, reset))
}

/// The value of `Retry-After` in seconds: the expected wait, at least 1, plus a random part of up to half
/// of it, so that clients rejected together do not return together.
fn retry_after(rejection: &Rejection) -> u64 {
    let expected = rejection.expected_wait.as_secs_f64().ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let expected = (expected as u64).clamp(1, MAX_EXPECTED_WAIT);
    expected + fastrand::u64(0..=expected.div_ceil(2))
}

fn explanation(rejection: &Rejection, active: usize, identification: &Identification) -> String {
    let Rejection { client, scope, limit, .. } = rejection;
    let status = rejection.status();
    let connections = if *limit == 1 { "connection" } else { "connections" };
    // Includes admitted connections before their threads start.
    let idle = limit.saturating_sub(active);
    match (scope, client) {
        (Scope::Client, Some(client)) => {
            let name = identification.name(*client);
            let kind = if name.contains('/') { "network" } else { "address" };
            format!(
                "{status}: your {kind} {name} already holds {limit} {connections} ({active} active, \
                 {idle} idle), and a client may hold {limit} at a time. Close one, or wait for one \
                 to finish, and try again.\n"
            )
        }
        _ => format!(
            "{status}: all {limit} {connections} of this server are in use ({active} active, {idle} \
             idle). Try again in a moment.\n"
        ),
    }
}

/// The response to a client whose address is not let in. To come back later would not help, so it has no
/// `Retry-After`.
pub(crate) fn denial_response(client: &Client) -> Response {
    let status = Status::FORBIDDEN;
    let explanation = format!("{status}: your address {} is not let in here.\n", client.address);
    Response::text(status, MediaType::Plain, explanation)
}

/// The response if the system cannot start a thread for a connection.
pub(crate) fn no_thread_response() -> Response {
    let status = Status::SERVICE_UNAVAILABLE;
    let explanation =
        format!("{status}: the server is short of resources. Try again in a moment.\n");
    Response::text(status, MediaType::Plain, explanation).field("Retry-After", "1")
}

/// The bytes of a response that is the last of its connection.
pub(crate) fn encode(response: &Response) -> EncodedResponse {
    let mut head = Vec::with_capacity(768);
    response.write_head(&mut head, Version::Http11, Persistence::Close);
    EncodedResponse::new(head, response.text_content())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rejection(scope: Scope, limit: usize) -> Rejection {
        let client = Some("127.0.0.9".parse().unwrap());
        Rejection { client, scope, limit, expected_wait: Duration::ZERO }
    }

    #[test]
    fn a_rejection_says_which_limit_its_value_what_is_held_and_what_to_do() {
        for (scope, limit, status, parts) in [
            (
                Scope::Client,
                12,
                429,
                &["127.0.0.9", "12 connections", "3 active, 9 idle", "Close one", "try again"][..],
            ),
            (Scope::Total, 60, 503, &["all 60 connections", "3 active, 57 idle", "Try again"]),
        ] {
            let rejection = rejection(scope, limit);
            assert_eq!(rejection.status().code(), status);
            let text = explanation(&rejection, 3, &Identification::default());
            for part in parts {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn a_client_is_called_what_it_is() {
        for (key, ipv6_prefix, expected) in [
            ("192.0.2.1", 64, "your address 192.0.2.1 already holds 1 connection ("),
            ("2001:db8:1:2::", 64, "your network 2001:db8:1:2::/64 already holds 1 connection ("),
            ("::1", 128, "your address ::1 already holds 1 connection ("),
        ] {
            let client = Some(key.parse().unwrap());
            let rejection = Rejection { client, ..rejection(Scope::Client, 1) };
            let identification = Identification { ipv6_prefix, ..Default::default() };
            let text = explanation(&rejection, 0, &identification);
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn the_answer_has_the_fields_that_programs_read() {
        let response =
            rejection_response(&rejection(Scope::Client, 12), 0, &Identification::default());
        let encoded = encode(&response);
        let (head, content) = encoded.whole().split_at(encoded.head().len());
        assert!(head.ends_with(b"\r\n\r\n") && content.starts_with(b"429 "));
        let head = String::from_utf8(head.to_vec()).unwrap();
        let policy = "\r\nRateLimit-Policy: \"per-client\";q=12;qu=\"concurrent-requests\"\r\n";
        for part in [policy, "\r\nRateLimit: \"per-client\";r=0;t=", "\r\nRetry-After: "] {
            assert!(head.contains(part), "{part}: {head}");
        }
    }

    #[test]
    fn the_recommended_wait_is_at_least_a_second_bounded_and_spread() {
        for (expected, bounds) in
            [(0.0, 1..=2), (0.4, 1..=2), (3.2, 4..=6), (1e6, 60..=90), (1e-9, 1..=2)]
        {
            let expected_wait = Duration::from_secs_f64(expected);
            let rejection = Rejection { expected_wait, ..rejection(Scope::Client, 1) };
            for _ in 0..100 {
                assert!(bounds.contains(&retry_after(&rejection)), "{expected} s");
            }
        }
    }
}
