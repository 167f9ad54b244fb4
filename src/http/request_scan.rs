//! Finds the end of a request's head, and whether the method is HEAD, without storing the head.
//!
//! For connections that are rejected whatever they request: the response depends only on the method,
//! because a response to HEAD has no content (RFC 9110 §9.3.2).

const HEAD: &[u8] = b"HEAD ";

/// Scans one head in constant memory. Make a new scan for each request.
///
/// ```text
/// empty lines (skipped) → method → rest of the lines → empty line: the end
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestScan {
    method: MethodScan,
    /// No byte other than CR has been received since the last line feed.
    is_at_line_start: bool,
    is_complete: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MethodScan {
    /// No byte of the request line has been received.
    #[default]
    Before,
    /// The first bytes of `HEAD `, this many, have been received.
    Prefix(usize),
    Head,
    Other,
}

impl RequestScan {
    /// Examines the next bytes. Returns true once the head is complete; later bytes are ignored.
    pub fn advance(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.is_complete {
                break;
            }
            self.step(*byte);
        }
        self.is_complete
    }

    fn step(&mut self, byte: u8) {
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

    /// True once a byte of the request line has been received.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.method != MethodScan::Before
    }

    /// True once the head is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// True if the method is known to be HEAD, so that the response must have no content.
    #[must_use]
    pub fn is_head_request(&self) -> bool {
        self.method == MethodScan::Head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the head is complete, and whether it is that of a HEAD request.
    fn scan(one: &[u8], other: &[u8]) -> (bool, bool) {
        let mut scan = RequestScan::default();
        scan.advance(one);
        (scan.advance(other), scan.is_head_request())
    }

    #[test]
    fn the_end_and_the_method_are_found_wherever_the_bytes_are_split() {
        for (request, expected) in [
            (&b""[..], (false, false)),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", (true, false)),
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", (true, true)),
            (b"\r\n\nHEAD / HTTP/1.0\n\n", (true, true)),
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n", (false, true)),
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n \r\n", (false, true)),
            (b"HEA", (false, false)),
            (b"HEADER / HTTP/1.1\r\n\r\n", (true, false)),
            (b"head / HTTP/1.1\r\n\r\n", (true, false)),
            (b"GET /HEAD HTTP/1.1\r\nHEAD a\r\n\r\n", (true, false)),
            (b"GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n", (true, false)),
            (b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", (true, true)),
            (b"\r\n\r\n", (false, false)),
            (b"\x16\x03\x01\x02\x00\x01\x00", (false, false)),
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
    fn the_head_is_complete_with_its_last_byte() {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut scan = RequestScan::default();
        let ends = request.iter().map(|byte| scan.advance(&[*byte])).collect::<Vec<_>>();
        assert_eq!(ends.iter().position(|is_complete| *is_complete), Some(request.len() - 1));
    }
}
