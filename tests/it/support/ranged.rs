//! Correct responses to range requests, for scripts that modify them.

use super::scripted::answer;

/// The value of a field in a request's head.
pub(crate) fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The first byte of the requested range, and the last if it is given.
pub(crate) fn range(head: &str) -> Option<(usize, Option<usize>)> {
    let (first, last) = field(head, "Range")?.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().unwrap(), last.parse().ok()))
}

/// The response of a server with this version of the content: the range if `If-Range` has this tag, else the
/// whole content.
pub(crate) fn ranged(head: &str, tag: &str, content: &[u8]) -> Vec<u8> {
    let fields = format!("ETag: {tag}\r\nAccept-Ranges: bytes\r\n");
    let Some((first, last)) = range(head).filter(|_| field(head, "If-Range") == Some(tag)) else {
        return answer("200 OK", &fields, content);
    };
    let length = content.len();
    if first >= length {
        let fields = format!("{fields}Content-Range: bytes */{length}\r\n");
        return answer("416 Range Not Satisfiable", &fields, "");
    }
    let last = last.unwrap_or(length - 1).min(length - 1);
    let fields = format!("{fields}Content-Range: bytes {first}-{last}/{length}\r\n");
    answer("206 Partial Content", &fields, &content[first..=last])
}

/// Bytes that do not repeat.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(length).collect()
}
