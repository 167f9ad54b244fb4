//! Badly behaved clients: they break off, are slow, or send refused content or nonsense.

use std::io::{ErrorKind, Read as _};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use super::answer::Connection;
use super::server::{LARGE_BYTES, SMALL, byte_at};
use super::visit::{End, Visited, Visitor, ensure, ensure_end};

/// The server's default for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Breaks off in one of many ways, none of which has a response to check.
pub(crate) fn aborted(visitor: &Visitor<'_>) -> Visited {
    let mut connection = visitor.connect()?;
    match visitor.visit % 8 {
        0 => connection.reset()?,
        1 => drop(connection),
        2 => connection.send(b"GET /small HTTP/1.1\r\nHost: a")?,
        3 => {
            connection.send(b"GET /small HT")?;
            connection.reset()?;
        }
        4 => {
            connection.get("/large")?;
            read_some(&mut connection)?;
        }
        5 => {
            connection.get("/large")?;
            read_some(&mut connection)?;
            connection.reset()?;
        }
        6 => {
            connection.get("/many/")?;
            read_some(&mut connection)?;
            connection.reset()?;
        }
        _ => {
            connection
                .send(b"PUT /small HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nabc")?;
            connection.reset()?;
        }
    }
    Ok(())
}

fn read_some(connection: &mut Connection) -> std::io::Result<()> {
    connection.stream.read(&mut [0; 1000]).map(drop)
}

/// Sends its request a byte at a time and half-closes, or reads its response in small pieces.
pub(crate) fn slow(visitor: &Visitor<'_>) -> Visited {
    let mut connection = visitor.connect()?;
    if visitor.visit.is_multiple_of(2) {
        let begun = Instant::now();
        for byte in b"GET /small HTTP/1.1\r\nHost: slow\r\nConnection: close\r\n\r\n" {
            // A rejection is sent after a second, whatever has arrived.
            if connection.send(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(30));
        }
        let _ = connection.stream.shutdown(Shutdown::Write);
        let answer = connection.answer()?;
        // On a busy machine this client may be late, and receive 408.
        if answer.status == 408 && begun.elapsed() >= HEAD_TIMEOUT {
            visitor.expect(&answer, 408)?;
        } else {
            visitor.expect_content(&answer, 200, SMALL)?;
        }
        return ensure_end(connection);
    }
    connection.get("/large")?;
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(50));
        connection.receive_piece(16 * 1024)?;
    }
    let answer = connection.answer()?;
    visitor.expect(&answer, 200)?;
    let expected = (0..LARGE_BYTES).map(byte_at);
    ensure(expected.eq(answer.content.iter().copied()), || "another large file".to_owned())
}

/// Sends content that is discarded: little, much, in chunks, and with `Expect`.
pub(crate) fn uploads(visitor: &Visitor<'_>) -> Visited {
    let mut connection = visitor.connect()?;
    let (head, content, is_kept) = match visitor.visit % 4 {
        0 => ("PUT /small HTTP/1.1\r\nContent-Length: 65536\r\n", vec![7; 65536], true),
        1 => ("PUT /small HTTP/1.1\r\nContent-Length: 2000000\r\n", vec![7; 2_000_000], false),
        2 => {
            let chunks = [b"8000\r\n".as_slice(), &vec![7; 0x8000], b"\r\n0\r\n\r\n"].concat();
            ("POST /new HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", chunks, true)
        }
        _ => {
            let head = "POST /new HTTP/1.1\r\nContent-Length: 100\r\nExpect: 100-continue\r\n";
            (head, Vec::new(), false)
        }
    };
    connection.send(format!("{head}Host: a\r\n\r\n").as_bytes())?;
    let answer = connection.send(&content).and_then(|()| connection.answer());
    let answer = answer.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => End::CutOff,
        _ => error.into(),
    })?;
    visitor.expect(&answer, 405)?;
    ensure(answer.field("Allow").is_some(), || "405 without Allow".to_owned())?;
    if answer.is_last() {
        return ensure_end(connection);
    }
    ensure(is_kept, || "kept in spite of content that is not read".to_owned())?;
    connection.get("/small")?;
    let answer = connection.answer()?;
    visitor.expect_content(&answer, 200, SMALL)
}

/// Malformed heads.
pub(crate) fn malformed(visitor: &Visitor<'_>) -> Visited {
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9_000));
    for (bytes, status) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".as_slice(), 400),
        (b"GET /small HTTP/1.1\r\n\r\n", 400),
        (b"GET /small HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /small HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (large.as_bytes(), 431),
        (long.as_bytes(), 414),
    ] {
        let mut connection = visitor.connect()?;
        connection.send(bytes)?;
        let answer = connection.answer()?;
        visitor.expect(&answer, status)?;
    }
    Ok(())
}
