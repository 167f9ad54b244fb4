//! A case: one or two request messages, made of pieces of the grammar (RFC 9112 §2.1). Each piece is the
//! plain one of its place, or has a name for its special feature.

use std::collections::BTreeSet;

/// The place of a piece within its message, in the order in which they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Bytes before the request line.
    Before,
    Method,
    FirstGap,
    /// The text before the path: scheme and authority, or another form of target.
    Form,
    /// A piece of the path and the query; several follow each other.
    Path,
    SecondGap,
    Version,
    LineEnd,
    /// A field line with its line ending, or several that belong together.
    Field,
    HeadEnd,
    Body,
}

/// The places that each message has exactly once, and their plain pieces.
const PLAIN: [(Place, &[u8]); 9] = [
    (Place::Before, b""),
    (Place::Method, b"GET"),
    (Place::FirstGap, b" "),
    (Place::Form, b""),
    (Place::SecondGap, b" "),
    (Place::Version, b"HTTP/1.1"),
    (Place::LineEnd, b"\r\n"),
    (Place::HeadEnd, b"\r\n"),
    (Place::Body, b""),
];

const PLAIN_PATH: &[u8] = b"/a.txt";
const PLAIN_HOST: &[u8] = b"Host: a\r\n";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) place: Place,
    /// Its special feature; empty for a plain piece.
    pub(crate) feature: String,
    pub(crate) bytes: Vec<u8>,
}

impl Piece {
    pub(crate) fn new(place: Place, feature: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { place, feature: feature.into(), bytes: bytes.into() }
    }

    fn plain(place: Place, bytes: &[u8]) -> Self {
        Self::new(place, "", bytes)
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.feature.is_empty()
    }
}

/// One message; its pieces are kept in the order of their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) pieces: Vec<Piece>,
}

impl Message {
    pub(crate) fn plain() -> Self {
        let mut pieces: Vec<Piece> =
            PLAIN.iter().map(|(place, bytes)| Piece::plain(*place, bytes)).collect();
        pieces.push(Piece::plain(Place::Path, PLAIN_PATH));
        pieces.push(Piece::plain(Place::Field, PLAIN_HOST));
        let mut message = Self { pieces };
        message.sort();
        message
    }

    fn sort(&mut self) {
        self.pieces.sort_by_key(|piece| piece.place);
    }

    /// Replaces all pieces at this place.
    pub(crate) fn replace(&mut self, place: Place, with: impl IntoIterator<Item = Piece>) {
        self.pieces.retain(|piece| piece.place != place);
        self.pieces.extend(with);
        self.sort();
    }

    /// Replaces the `Host`.
    pub(crate) fn replace_host(&mut self, with: Piece) {
        let is_host = |piece: &Piece| piece.is_plain() || piece.feature.starts_with("host ");
        self.pieces.retain(|piece| piece.place != Place::Field || !is_host(piece));
        self.add_field(with);
    }

    pub(crate) fn add_field(&mut self, field: Piece) {
        self.pieces.push(field);
        self.sort();
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|piece| &piece.bytes).copied().collect()
    }

    /// All messages with one special piece removed or made plain.
    fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for (at, piece) in self.pieces.iter().enumerate().filter(|(_, piece)| !piece.is_plain()) {
            let mut less = self.clone();
            less.pieces.remove(at);
            if let Some((place, bytes)) = PLAIN.iter().find(|(place, _)| *place == piece.place) {
                less.pieces.push(Piece::plain(*place, bytes));
            } else if piece.place == Place::Path
                && !less.pieces.iter().any(|other| other.place == Place::Path)
            {
                less.pieces.push(Piece::plain(Place::Path, PLAIN_PATH));
            } else if piece.feature.starts_with("host ") {
                less.pieces.push(Piece::plain(Place::Field, PLAIN_HOST));
            }
            less.sort();
            all.push(less);
        }
        all
    }
}

/// The messages sent over one connection, before the request that ends every case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) messages: Vec<Message>,
}

impl Case {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.messages.iter().flat_map(Message::bytes).collect()
    }

    /// Its special features, sorted by name.
    pub(crate) fn features(&self) -> BTreeSet<String> {
        let pieces = self.messages.iter().flat_map(|message| &message.pieces);
        let mut features: BTreeSet<String> =
            pieces.filter(|piece| !piece.is_plain()).map(|piece| piece.feature.clone()).collect();
        if self.messages.len() > 1 {
            features.insert("pipeline".to_owned());
        }
        features
    }

    /// Cases that are a step simpler than this one.
    pub(crate) fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        if self.messages.len() > 1 {
            all.extend(self.messages.iter().map(|one| Self { messages: vec![one.clone()] }));
        }
        for (at, message) in self.messages.iter().enumerate() {
            for simpler in message.simpler() {
                let mut messages = self.messages.clone();
                messages[at] = simpler;
                all.push(Self { messages });
            }
        }
        all
    }
}
