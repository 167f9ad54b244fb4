//! What all clients have in common: an address, a list of what they did, and when an answer is wrong.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::answer::{Answer, Connection, Reclaimed};

/// Most wrong answers that are described.
const MOST_DESCRIBED: usize = 10;

/// How a visit ended early.
pub(crate) enum End {
    /// The total was used up, and the client was told so as it must be.
    Rejected,
    /// See [`Reclaimed`].
    Reclaimed,
    /// The connection was reset while the client sent what the server refuses. It discards that for a
    /// while, for so many connections at a time; one more takes the place of the oldest.
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

/// What the clients of one kind did and found, over all phases.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) visits: AtomicU64,
    /// Answers that were checked.
    pub(crate) answers: AtomicU64,
    /// Visits that ended with a 503.
    pub(crate) rejected: AtomicU64,
    /// Visits that ended because the server closed a kept connection to hand its slot on.
    pub(crate) reclaimed: AtomicU64,
    /// Visits that ended because the server did not take all that it refuses.
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

/// A client at its work.
pub(crate) struct Visitor<'a> {
    pub(crate) server: SocketAddr,
    pub(crate) account: &'a Account,
    /// Differs from visitor to visitor, and from visit to visit.
    pub(crate) visit: usize,
}

impl Visitor<'_> {
    /// Connects from one of many addresses that no other kind of test uses up.
    pub(crate) fn connect(&self) -> io::Result<Connection> {
        let [_, _, high, low] = fastrand::u32(..).to_be_bytes();
        Connection::open([127, 16, high % 64, low.max(1)], self.server)
    }

    /// Whether the answer has this status. A 503 for want of a slot ends the visit instead.
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

/// Nothing comes behind the last answer.
pub(crate) fn ensure_end(mut connection: Connection) -> Visited {
    ensure(connection.is_at_end()?, || "bytes behind the last answer".to_owned())
}

/// A rejection is whole and says when to come back.
pub(crate) fn check_rejection(answer: &Answer) -> Visited {
    let begins = answer.content.starts_with(format!("{} ", answer.status).as_bytes());
    ensure(begins && answer.field("Retry-After").is_some() && answer.is_last(), || {
        format!("a rejection that is not whole: {answer:?}")
    })
}

pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Visited {
    if holds { Ok(()) } else { Err(End::Wrong(otherwise())) }
}
