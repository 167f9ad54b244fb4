//! What all clients share: an address, counts of what they did, and the check of responses.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::answer::{Answer, Connection, Reclaimed};

/// The number of wrong responses that are described.
const MOST_DESCRIBED: usize = 10;

/// Why a visit ended early.
pub(crate) enum End {
    /// The total was used up, and the client received a correct 503.
    Rejected,
    /// See [`Reclaimed`].
    Reclaimed,
    /// The connection was reset while the client sent refused content. The server discards that for a
    /// limited time and number of connections; one more replaces the oldest.
    CutOff,
    Wrong(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.get_ref() {
            Some(source) if source.is::<Reclaimed>() => Self::Reclaimed,
            _ => Self::Wrong(error.to_string()),
        }
    }
}

pub(crate) type Visited = Result<(), End>;

/// The results of one kind of client over all phases.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) visits: AtomicU64,
    /// Checked responses.
    pub(crate) answers: AtomicU64,
    /// Visits that ended with a 503.
    pub(crate) rejected: AtomicU64,
    /// Visits that ended because the server closed a kept connection to reuse its slot.
    pub(crate) reclaimed: AtomicU64,
    /// Visits that ended because the server stopped reading refused content.
    pub(crate) cut_off: AtomicU64,
    pub(crate) wrong: AtomicU64,
    descriptions: Mutex<Vec<String>>,
}

impl Account {
    pub(crate) fn enter(&self, visited: Visited) {
        self.visits.fetch_add(1, Ordering::Relaxed);
        match visited {
            Ok(()) => {}
            Err(End::Rejected) => {
                self.rejected.fetch_add(1, Ordering::Relaxed);
            }
            Err(End::Reclaimed) => {
                self.reclaimed.fetch_add(1, Ordering::Relaxed);
            }
            Err(End::CutOff) => {
                self.cut_off.fetch_add(1, Ordering::Relaxed);
            }
            Err(End::Wrong(what)) => {
                self.wrong.fetch_add(1, Ordering::Relaxed);
                let mut descriptions =
                    self.descriptions.lock().unwrap_or_else(PoisonError::into_inner);
                if descriptions.len() < MOST_DESCRIBED {
                    descriptions.push(what);
                }
            }
        }
    }

    pub(crate) fn descriptions(&self) -> Vec<String> {
        self.descriptions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A running client.
pub(crate) struct Visitor<'a> {
    pub(crate) server: SocketAddr,
    pub(crate) account: &'a Account,
    /// Differs between visitors and between visits.
    pub(crate) visit: usize,
}

impl Visitor<'_> {
    /// Connects from one of many addresses, whose limits no other kind of client uses up.
    pub(crate) fn connect(&self) -> io::Result<Connection> {
        let [_, _, high, low] = fastrand::u32(..).to_be_bytes();
        Connection::open([127, 16, high % 64, low.max(1)], self.server)
    }

    /// True if the response has this status. A 503 because the total is used up ends the visit.
    pub(crate) fn expect(&self, answer: &Answer, status: u16) -> Visited {
        self.account.answers.fetch_add(1, Ordering::Relaxed);
        if answer.status == 503 && status != 503 {
            check_rejection(answer)?;
            return Err(End::Rejected);
        }
        ensure(answer.status == status, || format!("{} instead of {status}", answer.status))
    }

    /// [`Visitor::expect`], with this content.
    pub(crate) fn expect_content(&self, answer: &Answer, status: u16, content: &[u8]) -> Visited {
        self.expect(answer, status)?;
        ensure(answer.content == content, || {
            format!(
                "{} bytes of other content than the {} expected",
                answer.content.len(),
                content.len()
            )
        })
    }
}

/// Nothing follows the last response.
pub(crate) fn ensure_end(mut connection: Connection) -> Visited {
    ensure(connection.is_at_end()?, || "bytes behind the last answer".to_owned())
}

/// A rejection is complete and says when to come back.
pub(crate) fn check_rejection(answer: &Answer) -> Visited {
    let begins = answer.content.starts_with(format!("{} ", answer.status).as_bytes());
    ensure(begins && answer.field("Retry-After").is_some() && answer.is_last(), || {
        format!("an incomplete rejection: {answer:?}")
    })
}

pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Visited {
    if holds { Ok(()) } else { Err(End::Wrong(otherwise())) }
}
