//! The missing pieces of a file, and which of them workers receive. No files and no locks.

/// The least length that is worth a request.
pub(super) const MIN_PIECE_BYTES: u64 = 1 << 20;

/// The pieces of a file that are missing.
#[derive(Debug)]
pub(super) struct Pieces {
    /// In the order in which they were made. Complete ones stay, so that indexes stay valid.
    list: Vec<Piece>,
    /// The server has sent a range as requested.
    are_ranges_honoured: bool,
}

/// Missing bytes, from `next` up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) next: u64,
    pub(super) end: u64,
    is_claimed: bool,
}

impl Piece {
    pub(super) fn bytes(self) -> u64 {
        self.end - self.next
    }
}

impl Pieces {
    /// Pieces given by their first and last byte.
    pub(super) fn new(missing: Vec<(u64, u64)>) -> Self {
        let piece = |(first, last)| Piece { next: first, end: last + 1, is_claimed: false };
        Self { list: missing.into_iter().map(piece).collect(), are_ranges_honoured: false }
    }

    pub(super) fn get(&self, index: usize) -> Piece {
        self.list[index]
    }

    pub(super) fn missing_bytes(&self) -> u64 {
        self.list.iter().copied().map(Piece::bytes).sum()
    }

    /// The missing pieces, by first and last byte.
    pub(super) fn missing(&self) -> Vec<(u64, u64)> {
        let incomplete = self.list.iter().filter(|piece| piece.bytes() > 0);
        incomplete.map(|piece| (piece.next, piece.end - 1)).collect()
    }

    /// Claims a piece that no worker receives, or else the second half of the largest, if each half has
    /// [`MIN_PIECE_BYTES`].
    pub(super) fn claim(&mut self) -> Option<usize> {
        let is_free = |piece: &Piece| !piece.is_claimed && piece.bytes() > 0;
        if let Some(index) = self.list.iter().position(is_free) {
            self.list[index].is_claimed = true;
            return Some(index);
        }
        let largest = self.list.iter_mut().max_by_key(|piece| piece.bytes())?;
        if largest.bytes() < 2 * MIN_PIECE_BYTES {
            return None;
        }
        // The first half is longer than the bytes that its worker may be writing now.
        let middle = largest.end - largest.bytes() / 2;
        let half = Piece { next: middle, end: largest.end, is_claimed: true };
        largest.end = middle;
        self.list.push(half);
        Some(self.list.len() - 1)
    }

    /// Frees a piece: its missing bytes can be claimed again.
    pub(super) fn release(&mut self, index: usize) {
        self.list[index].is_claimed = false;
    }

    /// Counts received bytes of a piece. A piece that is complete takes over the next one, if no worker
    /// receives that or ranges are not known to work.
    pub(super) fn advance(&mut self, index: usize, bytes: u64) {
        self.list[index].next += bytes;
        if self.list[index].bytes() == 0 {
            self.join_next(index);
        }
    }

    fn join_next(&mut self, index: usize) {
        let end = self.list[index].end;
        let next = self.list.iter().position(|other| {
            let is_received = other.is_claimed && self.are_ranges_honoured;
            !is_received && other.next == end && other.bytes() > 0
        });
        if let Some(next) = next {
            self.list[index].end = self.list[next].end;
            self.list[next].next = self.list[next].end;
        }
    }

    pub(super) fn set_ranges_honoured(&mut self) {
        self.are_ranges_honoured = true;
    }

    /// Whether there is a piece to claim, apart from short halves.
    pub(super) fn are_worth_help(&self) -> bool {
        self.list.iter().any(|piece| {
            piece.bytes() >= 2 * MIN_PIECE_BYTES || (piece.bytes() > 0 && !piece.is_claimed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_largest_piece_is_halved_down_to_the_least_length() {
        let mut pieces = Pieces::new(vec![(0, 8 * MIB - 1)]);
        let claimed: Vec<_> = std::iter::from_fn(|| pieces.claim()).collect();
        let mut ranges: Vec<_> =
            claimed.iter().map(|index| (pieces.get(*index).next, pieces.get(*index).end)).collect();
        ranges.sort_unstable();
        let expected: Vec<_> = (0..8).map(|n| (n * MIB, (n + 1) * MIB)).collect();
        assert_eq!(ranges, expected);
        pieces.release(claimed[0]);
        assert_eq!(pieces.claim(), Some(claimed[0]), "a free piece can be claimed");
    }

    #[test]
    fn a_piece_takes_over_the_next_unless_a_worker_is_known_to_receive_it() {
        for (is_claimed, are_ranges_honoured, is_taken_over) in
            [(false, false, true), (false, true, true), (true, false, true), (true, true, false)]
        {
            let mut pieces = Pieces::new(vec![(0, 2 * MIB - 1)]);
            let (lead, helper) = (pieces.claim().unwrap(), pieces.claim().unwrap());
            if !is_claimed {
                pieces.release(helper);
            }
            if are_ranges_honoured {
                pieces.set_ranges_honoured();
            }
            pieces.advance(lead, MIB - 1);
            assert_eq!(pieces.get(lead).end, MIB);
            pieces.advance(lead, 1);
            let end = if is_taken_over { 2 * MIB } else { MIB };
            assert_eq!((pieces.get(lead).end, pieces.missing_bytes()), (end, MIB));
            assert_eq!(pieces.get(helper).bytes(), if is_taken_over { 0 } else { MIB });
        }
    }
}
