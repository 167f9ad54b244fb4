//! Shares a rate evenly between flows, by start-time fair queuing (Goyal, Vin and Cheng, SIGCOMM 1996).
//!
//! A flow is a client or a connection, and sends in pieces. A piece is tagged with the number of bytes after
//! which its flow's last piece ends, or with the tag of the piece that was sent last if that is more: a flow
//! that sent nothing for a while does not make up for it. The piece with the lowest tag is next. So each flow
//! that has pieces waiting sends as much as the others, however small its pieces are and however many of them
//! wait, and what a flow does not use is left to the others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Into how many pieces the bytes of one second are divided, for each piece that waits or is sent: two flows
/// differ by a piece or two. While a flow sends alone, its pieces are the longest; when others join it, it waits
/// until each of them has been sent as much as two of those.
const MAX_PIECES_OF_EACH: u64 = 40;

/// As many at least, where more would be shorter than a segment.
const MIN_PIECES_OF_EACH: u64 = 20;

/// What a segment of TCP holds in an Ethernet. A shorter piece costs as much as one of this length, for the
/// server as for the network, and there may be a queue for each connection.
const SEGMENT_BYTES: u64 = 1460;

/// Most pieces per second together: each costs two changes of threads.
const MAX_PIECES_PER_SECOND: u64 = 1000;

/// How late a piece may begin without a loss for the rate: the next ones are sent earlier. Threads wake up
/// late, and a flow is asked for its next piece only after the last one.
const CATCH_UP: Duration = Duration::from_millis(50);

/// The pieces that wait to be sent at one rate. `W` is what identifies the one that waits.
#[derive(Debug)]
pub(super) struct FairQueue<W> {
    /// Bytes per second.
    rate: u64,
    /// When the next piece may begin.
    due: Instant,
    /// The tag of the piece that began last.
    last_tag: u64,
    /// In the order in which they begin.
    waiting: BTreeMap<Piece, W>,
    /// Pieces that have entered.
    entered: u64,
}

/// Up to which byte a flow has used its share; starts at 0.
pub(super) type Used = u64;

/// A piece that was entered. Pieces begin in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    tag: u64,
    /// Of pieces with the same tag the smaller one is first: a small response need not wait for the pieces of
    /// downloads.
    pub(super) bytes: u64,
    /// Distinguishes pieces.
    number: u64,
}

impl<W> FairQueue<W> {
    /// An empty queue for `rate` bytes per second, from `now` on.
    pub(super) fn new(rate: u64, now: Instant) -> Self {
        Self { rate, due: now, last_tag: 0, waiting: BTreeMap::new(), entered: 0 }
    }

    /// Adds a piece of at most `wanted` bytes of a flow that has used `used` of its share.
    pub(super) fn enter(&mut self, used: &mut Used, wanted: u64, waiter: W) -> Piece {
        let bytes = wanted.min(self.piece_bytes());
        let piece = Piece { tag: self.last_tag.max(*used), number: self.entered, bytes };
        self.entered += 1;
        *used = piece.tag + bytes;
        self.waiting.insert(piece, waiter);
        piece
    }

    /// The most bytes of a piece that enters now.
    fn piece_bytes(&self) -> u64 {
        let pieces = self.waiting.len() as u64 + 1;
        let at = |of_each: u64| self.rate / (of_each * pieces).min(MAX_PIECES_PER_SECOND);
        SEGMENT_BYTES.clamp(at(MAX_PIECES_OF_EACH), at(MIN_PIECES_OF_EACH)).max(1)
    }

    /// Begins all pieces that are due, and passes who waits for them to `begun`. After a delay these are several.
    pub(super) fn begin_due(&mut self, now: Instant, mut begun: impl FnMut(W)) {
        while self.due <= now
            && let Some((piece, waiter)) = self.waiting.pop_first()
        {
            self.last_tag = piece.tag;
            let late = now - self.due;
            self.due += late.saturating_sub(CATCH_UP) + self.time_of(piece.bytes);
            begun(waiter);
        }
    }

    /// True if the piece has not begun.
    pub(super) fn is_waiting(&self, piece: Piece) -> bool {
        self.waiting.contains_key(&piece)
    }

    /// The piece that begins next, and who waits for it.
    pub(super) fn first(&self) -> Option<(Piece, &W)> {
        self.waiting.first_key_value().map(|(piece, waiter)| (*piece, waiter))
    }

    /// When the next piece begins.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Gives back bytes of a piece that were not sent after all.
    pub(super) fn refund(&mut self, used: &mut Used, bytes: u64) {
        *used -= bytes;
        self.due -= self.time_of(bytes);
    }

    /// How long the bytes take at the rate.
    fn time_of(&self, bytes: u64) -> Duration {
        Duration::from_nanos_u128(u128::from(bytes) * 1_000_000_000 / u128::from(self.rate))
    }
}

#[cfg(test)]
mod tests;
