//! Clients that open more connections than the limits allow.
//!
//! Connections within a limit certainly hold their slots: each has the beginning of a response far larger
//! than the kernel buffers for a client that stops reading.

use std::thread;
use std::time::Duration;

use super::answer::Connection;
use super::server::{PER_CLIENT, TOTAL};
use super::visit::{End, Visited, Visitor, check_rejection, ensure, ensure_end};

/// Connections beyond a client's limit that are attempted.
const BEYOND: usize = 4;

/// One address above its limit: further connections receive 429.
pub(crate) fn over_own(visitor: &Visitor<'_>) -> Visited {
    // Connections of an earlier visit may still be closing.
    let [.., high, low] = (visitor.visit % 60_000 + 1).to_be_bytes();
    let host = [127, 1, high, low];
    let mut held = Vec::new();
    for _ in 0..PER_CLIENT {
        held.push(hold(visitor, host)?.ok_or(End::Rejected)?);
    }
    for _ in 0..BEYOND {
        let mut connection = Connection::open(host, visitor.server)?;
        connection.get("/small")?;
        let answer = connection.answer()?;
        visitor.expect(&answer, 429)?;
        check_rejection(&answer)?;
        ensure_end(connection)?;
    }
    held.into_iter().try_for_each(|connection| Ok(connection.reset()?))
}

/// Many addresses that together exceed the total: eventually one receives 503.
pub(crate) fn over_total(visitor: &Visitor<'_>) -> Visited {
    let mut held = Vec::new();
    for number in (1..=255).take(TOTAL + 1) {
        let host = [127, 2, visitor.visit.to_le_bytes()[0], number];
        match hold(visitor, host)? {
            Some(connection) => held.push(connection),
            None => break,
        }
    }
    let count = held.len();
    held.into_iter().try_for_each(Connection::reset)?;
    // The other clients need slots as well.
    thread::sleep(Duration::from_secs(1));
    ensure(count <= TOTAL, || format!("{count} held of {TOTAL}"))
}

/// Takes a slot with a request whose response is not read; `None` for a 503.
fn hold(visitor: &Visitor<'_>, host: [u8; 4]) -> Result<Option<Connection>, End> {
    let mut connection = Connection::open(host, visitor.server)?;
    connection.get("/huge")?;
    let answer = connection.answer_to(false)?;
    if answer.status == 503 {
        visitor.expect(&answer, 503)?;
        let mut answer = answer;
        connection.content_of(&mut answer)?;
        check_rejection(&answer)?;
        return Ok(None);
    }
    visitor.expect(&answer, 200)?;
    Ok(Some(connection))
}
