//! Well-behaved clients: kept connections, one connection per request, ranges, listings, the status page.

use super::answer::Connection;
use super::server::{ENTRIES, MEDIUM_BYTES, SMALL, STATUS_PATH, byte_at};
use super::visit::{End, Visited, Visitor, ensure, ensure_end};

/// Many requests over one connection: GET, HEAD, a validator, pipelining.
pub(crate) fn kept(visitor: &Visitor<'_>) -> Visited {
    let mut connection = visitor.connect()?;
    for round in 0..25 {
        connection.get("/small")?;
        let answer = connection.answer()?;
        visitor.expect_content(&answer, 200, SMALL)?;
        if answer.is_last() {
            return ensure_end(connection);
        }
        let tag = answer.field("ETag").unwrap_or_default().to_owned();
        connection.ask("GET", "/small", &format!("If-None-Match: {tag}\r\n"))?;
        let answer = connection.answer()?;
        visitor.expect_content(&answer, 304, b"")?;
        if answer.is_last() {
            return ensure_end(connection);
        }
        if round % 5 == 0 && !pipelined(visitor, &mut connection)? {
            return ensure_end(connection);
        }
    }
    Ok(())
}

/// Three requests in one write; true if the connection is kept.
fn pipelined(visitor: &Visitor<'_>, connection: &mut Connection) -> Result<bool, End> {
    connection.send(
        b"HEAD /small HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n\
          GET /medium HTTP/1.1\r\nHost: a\r\n\r\n",
    )?;
    for (status, has_content) in [(200, false), (404, true), (200, true)] {
        let answer = connection.answer_to(has_content)?;
        visitor.expect(&answer, status)?;
        if status == 200 && has_content {
            check_medium(&answer.content, 0)?;
        }
        if answer.is_last() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One connection per request.
pub(crate) fn closed(visitor: &Visitor<'_>) -> Visited {
    for _ in 0..20 {
        let mut connection = visitor.connect()?;
        connection.ask("GET", "/small", "Connection: close\r\n")?;
        let answer = connection.answer()?;
        visitor.expect_content(&answer, 200, SMALL)?;
        ensure_end(connection)?;
    }
    Ok(())
}

pub(crate) fn ranges(visitor: &Visitor<'_>) -> Visited {
    let first = fastrand::usize(..MEDIUM_BYTES - 1000);
    let last = first + fastrand::usize(..1000);
    for (range, status, bytes) in [
        (format!("bytes={first}-{last}"), 206, Some(first..last + 1)),
        ("bytes=-500".to_owned(), 206, Some(MEDIUM_BYTES - 500..MEDIUM_BYTES)),
        (format!("bytes={first}-"), 206, Some(first..MEDIUM_BYTES)),
        (format!("bytes={MEDIUM_BYTES}-"), 416, None),
        ("bytes=0-9,100-109,-10".to_owned(), 206, None),
        ("nonsense".to_owned(), 200, Some(0..MEDIUM_BYTES)),
    ] {
        let mut connection = visitor.connect()?;
        connection.ask("GET", "/medium", &format!("Range: {range}\r\n"))?;
        let answer = connection.answer()?;
        visitor.expect(&answer, status)?;
        match bytes {
            Some(bytes) => {
                check_medium(&answer.content, bytes.start)?;
                ensure(answer.content.len() == bytes.len(), || format!("{range}: another length"))?;
            }
            None if status == 206 => {
                let parts = count(&answer.content, b"\r\nContent-Range: bytes ");
                ensure(parts == 3, || format!("{parts} parts instead of 3"))?;
            }
            None => {}
        }
    }
    Ok(())
}

fn check_medium(content: &[u8], from: usize) -> Visited {
    let expected = (from..).map(byte_at);
    ensure(content.iter().copied().zip(expected).all(|(got, expected)| got == expected), || {
        "other bytes than those of the file".to_owned()
    })
}

/// A directory of thousands of entries, in its three forms.
pub(crate) fn listings(visitor: &Visitor<'_>) -> Visited {
    let accept = ["text/html", "application/json", "text/plain"][visitor.visit % 3];
    let order = ["", "?sort=size&order=desc", "?sort=date"][visitor.visit / 3 % 3];
    let mut connection = visitor.connect()?;
    connection.ask("GET", &format!("/many/{order}"), &format!("Accept: {accept}\r\n"))?;
    let answer = connection.answer()?;
    visitor.expect(&answer, 200)?;
    let links = match accept {
        "text/html" => count(&answer.content, b"href=\"entry%20"),
        _ => count(&answer.content, b"entry%20"),
    };
    let is_whole = match accept {
        "text/html" => answer.content.trim_ascii_end().ends_with(b"</html>"),
        "application/json" => serde_json::from_slice::<serde_json::Value>(&answer.content).is_ok(),
        _ => answer.content.ends_with(b"\n"),
    };
    ensure(links == ENTRIES && is_whole, || {
        format!("{accept}: {links} of {ENTRIES} entries, complete: {is_whole}")
    })
}

/// The status in its three forms. It has slots of its own if the total is used up.
pub(crate) fn status(visitor: &Visitor<'_>) -> Visited {
    for (form, mark) in [
        ("html", "</html>"),
        ("json", "\"log_lines_dropped\""),
        ("prometheus", "http_server_conc_log_lines_dropped_total"),
    ] {
        let mut connection = visitor.connect()?;
        connection.get(&format!("{STATUS_PATH}?format={form}"))?;
        let answer = connection.answer()?;
        visitor.expect(&answer, 200)?;
        let has_mark = count(&answer.content, mark.as_bytes()) > 0;
        ensure(has_mark, || format!("a status as {form} without {mark}"))?;
    }
    Ok(())
}

/// The number of occurrences of `part` in `whole`.
fn count(whole: &[u8], part: &[u8]) -> usize {
    whole.windows(part.len()).filter(|window| *window == part).count()
}
