//! Where a request's head ends, found without keeping any of it.
//!
//! For connections that are refused whatever they ask for: such an answer depends on the request only
//! through its method, since a response to `HEAD` has no content (RFC 9110 §9.3.2).

use super::framing::Answering;

const HEAD: &[u8] = b"HEAD ";

/// The state of a scan, of constant size; a fresh one for each request.
///
/// ```text
/// empty lines (skipped) → method → rest of the lines → empty line: the end
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestScan {
    method: MethodScan,
    /// Nothing has come since the last line feed; a CR does not count.
    is_at_line_start: bool,
    is_complete: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MethodScan {
    /// No request has begun.
    #[default]
    Before,
    /// So many bytes of `HEAD ` have come.
    Prefix(usize),
    Head,
    Other,
}

impl RequestScan {
    /// Looks at the bytes that came next; true once the head is complete, after which further bytes
    /// change nothing.
    pub fn advance(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.is_complete {
                break;
            }
            self.look_at(*byte);
        }
        self.is_complete
    }

    fn look_at(&mut self, byte: u8) {
        if byte == b'\r' || (byte == b'\n' && self.method == MethodScan::Before) {
            return;
        }
        if byte == b'\n' {
            self.is_complete = self.is_at_line_start;
            self.is_at_line_start = true;
            return;
        }
        self.is_at_line_start = false;
        let matched = match self.method {
            MethodScan::Before => 0,
            MethodScan::Prefix(matched) => matched,
            MethodScan::Head | MethodScan::Other => return,
        };
        self.method = match matched + 1 {
            _ if byte != HEAD[matched] => MethodScan::Other,
            matched if matched == HEAD.len() => MethodScan::Head,
            matched => MethodScan::Prefix(matched),
        };
    }

    /// The head has come to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What a response would answer, as far as that is known: anything but `HEAD` may have content.
    #[must_use]
    pub fn answering(&self) -> Answering {
        if self.method == MethodScan::Head { Answering::Head } else { Answering::Get }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both results, for bytes that come in two pieces.
    fn scan(one: &[u8], other: &[u8]) -> (bool, Answering) {
        let mut scan = RequestScan::default();
        scan.advance(one);
        (scan.advance(other), scan.answering())
    }

    #[test]
    fn the_end_and_the_method_are_found_wherever_the_bytes_are_split() {
        for (request, expected) in [
            (&b""[..], (false, Answering::Get)),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", (true, Answering::Get)),
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", (true, Answering::Head)),
            (b"\r\n\nHEAD / HTTP/1.0\n\n", (true, Answering::Head)),
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n", (false, Answering::Head)),
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n \r\n", (false, Answering::Head)),
            (b"HEA", (false, Answering::Get)),
            (b"HEADER / HTTP/1.1\r\n\r\n", (true, Answering::Get)),
            (b"head / HTTP/1.1\r\n\r\n", (true, Answering::Get)),
            (b"GET /HEAD HTTP/1.1\r\nHEAD a\r\n\r\n", (true, Answering::Get)),
            (b"GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n", (true, Answering::Get)),
            (b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", (true, Answering::Head)),
            (b"\r\n\r\n", (false, Answering::Get)),
            (b"\x16\x03\x01\x02\x00\x01\x00", (false, Answering::Get)),
        ] {
            for at in 0..=request.len() {
                let (one, other) = request.split_at(at);
                assert_eq!(
                    scan(one, other),
                    expected,
                    "{} | {}",
                    one.escape_ascii(),
                    other.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn the_end_is_where_it_is_and_not_before() {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut scan = RequestScan::default();
        let ends = request.iter().map(|byte| scan.advance(&[*byte])).collect::<Vec<_>>();
        assert_eq!(ends.iter().position(|is_complete| *is_complete), Some(request.len() - 1));
    }
}
