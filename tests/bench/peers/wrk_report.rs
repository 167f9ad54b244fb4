//! The text that `wrk` prints.

/// What `wrk` reports.
#[derive(Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) requests: f64,
    pub(crate) requests_per_second: f64,
    /// Failed connections, and reads and writes that failed or timed out.
    pub(crate) socket_errors: u64,
    /// Responses with a status above 399.
    pub(crate) refused: u64,
}

impl Counted {
    /// `None` if `wrk` did not run to its end.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Self {
            requests: word_before(text, "requests in")?.parse().ok()?,
            requests_per_second: word_after(text, "Requests/sec:")?.parse().ok()?,
            socket_errors: match text.split_once("Socket errors:") {
                Some((_, rest)) => numbers(rest.lines().next()?).sum(),
                None => 0,
            },
            refused: match word_after(text, "Non-2xx or 3xx responses:") {
                Some(count) => count.parse().ok()?,
                None => 0,
            },
        })
    }
}

fn word_before<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark)?.0.split_whitespace().next_back()
}

fn word_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark)?.1.split_whitespace().next()
}

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(|byte: char| !byte.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}
