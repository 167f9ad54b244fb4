//! Generates cases: mostly plain messages with a few special pieces, determined by seed and number.

use fastrand::Rng;

use super::message::{Case, Message, Piece, Place};
use super::pieces::field::FIELDS;
use super::pieces::framing::{BODIES, CHUNKS, CODINGS, LENGTHS};
use super::pieces::host::HOSTS;
use super::pieces::line::{BEFORE, FORMS, GAPS, HEAD_ENDS, LINE_ENDS, METHODS, PATHS, VERSIONS};

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const WHOLE_CHUNKS: &str = "5\r\nHello\r\n0\r\n\r\n";

/// Lengths near expected limits of the three servers, and one far below.
const LONG: [usize; 5] = [1_000, 4_200, 8_200, 17_000, 33_000];

/// Bytes inserted at wrong places.
const STRAY: [u8; 14] =
    [0, 1, b'\t', b'\n', 0x0b, 0x0c, b'\r', b' ', b'"', b',', b':', 0x7f, 0x80, 0xff];

/// The case of this number.
pub(crate) fn case(seed: u64, number: u64) -> Case {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
    let count = if rng.u8(..100) < 30 { 2 } else { 1 };
    Case { messages: (0..count).map(|_| message(&mut rng)).collect() }
}

fn message(rng: &mut Rng) -> Message {
    let mut message = Message::plain();
    let special = [1, 1, 1, 1, 2, 2, 2, 3, 3, 4][rng.usize(..10)];
    for _ in 0..special {
        specialise(&mut message, rng);
    }
    if rng.u8(..100) < 12 {
        strew(&mut message, rng);
    }
    message
}

/// Makes one place of the message special.
fn specialise(message: &mut Message, rng: &mut Rng) {
    match rng.u8(..100) {
        0..3 => one(message, rng, Place::Before, "before", BEFORE),
        3..11 => one(message, rng, Place::Method, "method", METHODS),
        11..13 => one(message, rng, Place::FirstGap, "gap 1", GAPS),
        13..18 => one(message, rng, Place::Form, "form", FORMS),
        18..30 => path(message, rng),
        30..32 => one(message, rng, Place::SecondGap, "gap 2", GAPS),
        32..38 => one(message, rng, Place::Version, "version", VERSIONS),
        38..40 => one(message, rng, Place::LineEnd, "line end", LINE_ENDS),
        40..48 => message.replace_host(choose(rng, Place::Field, "host", HOSTS)),
        48..60 => framed_by_length(message, rng),
        60..70 => framed_by_chunks(message, rng),
        70..94 => {
            let all = FIELDS.concat();
            message.add_field(choose(rng, Place::Field, "field", &all));
        }
        94..96 => one(message, rng, Place::HeadEnd, "head end", HEAD_ENDS),
        96..97 => one(message, rng, Place::Body, "body", BODIES),
        _ => overlong(message, rng),
    }
}

fn choose(rng: &mut Rng, place: Place, what: &str, among: &[&str]) -> Piece {
    piece(place, what, among[rng.usize(..among.len())])
}

fn piece(place: Place, what: &str, text: &str) -> Piece {
    Piece::new(place, format!("{what} `{}`", text.as_bytes().escape_ascii()), text)
}

fn one(message: &mut Message, rng: &mut Rng, place: Place, what: &str, among: &[&str]) {
    message.replace(place, [choose(rng, place, what, among)]);
}

/// One or several pieces of a target.
fn path(message: &mut Message, rng: &mut Rng) {
    let count = if rng.u8(..100) < 70 { 1 } else { rng.usize(2..4) };
    let pieces: Vec<Piece> = (0..count).map(|_| choose(rng, Place::Path, "path", PATHS)).collect();
    message.replace(Place::Path, pieces);
}

fn framed_by_length(message: &mut Message, rng: &mut Rng) {
    message.add_field(choose(rng, Place::Field, "length", LENGTHS));
    let body = if message.bytes().windows(8).any(|bytes| bytes.eq_ignore_ascii_case(b"chunked\r")) {
        WHOLE_CHUNKS
    } else {
        "Hello"
    };
    message.replace(Place::Body, [piece(Place::Body, "body", body)]);
}

/// A special coding with plain chunks, or the reverse.
fn framed_by_chunks(message: &mut Message, rng: &mut Rng) {
    let (coding, chunks) = if rng.bool() {
        let coding = choose(rng, Place::Field, "coding", CODINGS);
        (coding, piece(Place::Body, "body", WHOLE_CHUNKS))
    } else {
        let coding = piece(Place::Field, "coding", CHUNKED);
        (coding, choose(rng, Place::Body, "body", CHUNKS))
    };
    message.add_field(coding);
    message.replace(Place::Body, [chunks]);
}

/// One oversized part.
fn overlong(message: &mut Message, rng: &mut Rng) {
    let length = LONG[rng.usize(..LONG.len())];
    let text = "x".repeat(length);
    let new =
        |place, what: &str, bytes: String| Piece::new(place, format!("{what} {length}"), bytes);
    match rng.u8(..6) {
        0 => message.replace(Place::Path, [new(Place::Path, "long path", format!("/{text}"))]),
        1 => {
            let path = new(Place::Path, "long query", format!("/a.txt?{text}"));
            message.replace(Place::Path, [path]);
        }
        2 => message.add_field(new(Place::Field, "long value", format!("X: {text}\r\n"))),
        3 => message.add_field(new(Place::Field, "long name", format!("{text}: y\r\n"))),
        4 => {
            let count = length / 80;
            let lines = "X: y\r\n".repeat(count);
            message.add_field(Piece::new(Place::Field, format!("many fields {count}"), lines));
        }
        _ => message.replace(Place::Method, [new(Place::Method, "long method", text)]),
    }
}

/// Inserts or removes a byte somewhere in one of the pieces.
fn strew(message: &mut Message, rng: &mut Rng) {
    let at = rng.usize(..message.pieces.len());
    let chosen = &mut message.pieces[at];
    if chosen.bytes.is_empty() || chosen.bytes.len() > 200 {
        return;
    }
    let position = rng.usize(..chosen.bytes.len());
    match rng.u8(..6) {
        0 => {
            chosen.bytes.remove(position);
        }
        1 => chosen.bytes[position] = STRAY[rng.usize(..STRAY.len())],
        _ => chosen.bytes.insert(position, STRAY[rng.usize(..STRAY.len())]),
    }
    // The `Host` of a plain message has no feature.
    let is_host =
        chosen.place == Place::Field && (chosen.is_plain() || chosen.feature.starts_with("host "));
    let what =
        if is_host { "host".to_owned() } else { format!("{:?}", chosen.place).to_lowercase() };
    chosen.feature = format!("{what} strewn `{}`", chosen.bytes.escape_ascii());
}
