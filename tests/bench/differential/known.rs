//! Intended differences, each with its reason.

use super::cluster::Key;
use super::verdict::Verdict::{Fault, Framing, Laxer, Stricter, ThreeWays};

/// An intended difference.
pub(crate) struct Known {
    fits: fn(&Key) -> bool,
    pub(crate) reason: &'static str,
}

impl Key {
    /// A feature begins with one of these.
    fn has(&self, starts: &[&str]) -> bool {
        self.features.iter().any(|feature| starts.iter().any(|start| feature.starts_with(start)))
    }

    /// A feature contains one of these.
    fn names(&self, parts: &[&str]) -> bool {
        self.features.iter().any(|feature| parts.iter().any(|part| feature.contains(part)))
    }
}

/// Cases in which ours and another server read different messages.
const FRAMING: &[Known] = &[
    Known {
        reason: "nginx leaves what is pipelined behind a 412 unanswered",
        fits: |key| key.reactions[1].ends_with("412"),
    },
    Known {
        reason: "nginx skips a lone CR before a request line (RFC 9112 §2.2 allows CRLF)",
        fits: |key| {
            key.reactions[0].ends_with("400")
                && key.reactions[1].ends_with("LAST")
                && key.names(&["\\r`", "\\r\\r"])
        },
    },
    Known {
        reason: "behind a HEAD, an answer of HTTP/0.9, which looks like content",
        fits: |key| key.has(&["method `HEAD"]) && key.has(&["gap 2", "secondgap", "version ``"]),
    },
];

/// Cases in which they read the same messages and answer differently.
const ANSWERS: &[Known] = &[
    Known {
        reason: "HTTP/0.9, which is answered 400 (RFC 9110 §2.5 knows HTTP/1.0 and above)",
        fits: |key| key.reactions[1..].iter().any(|words| words.contains("HTTP/0.9")),
    },
    Known {
        reason: "HEAD with Range: a method other than GET ignores it (RFC 9110 §14.2)",
        fits: |key| key.has(&["method `HEAD"]) && key.names(&["Range:"]),
    },
    Known {
        reason: "a last position beyond any number, or a list with empty members (RFC 9110 §14.1.2, §5.6.1)",
        fits: |key| {
            matches!(key.verdict, Laxer | ThreeWays)
                && key.names(&["bytes=,", ",,", "9999999999", "18446744073709551615"])
                && key.names(&["Range: "])
        },
    },
    Known {
        reason: "of several Range fields none counts (RFC 9110 §14.2 lets a server ignore Range)",
        fits: |key| {
            let lines = |feature: &String| {
                feature.matches("`Range:").count() + feature.matches("nRange:").count()
            };
            key.features.iter().map(lines).sum::<usize>() > 1
        },
    },
    Known {
        reason: "a precondition given twice, which nginx refuses and Apache takes as one",
        fits: |key| {
            matches!(key.verdict, Laxer | ThreeWays)
                && key.names(&["If-"])
                && key.reactions[1].contains("400")
        },
    },
    Known {
        reason: "of two preconditions the one that goes first counts (RFC 9110 §13.2.2)",
        fits: |key| {
            let tells = |start: &str| key.names(&[&format!("{start}: ")]);
            let first = ["If-None-Match", "If-Unmodified-Since", "If-Range"];
            tells("If-Modified-Since") && first.into_iter().any(tells)
        },
    },
    Known {
        reason: "a Range that cannot be read is ignored, which nginx answers with 416 (RFC 9110 §14.2)",
        fits: |key| {
            matches!(key.verdict, Laxer | ThreeWays)
                && key.names(&["Range: "])
                && key.reactions[1].contains("416")
        },
    },
    Known {
        reason: "a tab before a value is white space (RFC 9110 §5.5)",
        fits: |key| key.names(&["Range:\\t"]),
    },
    Known {
        reason: "the method is looked at before the target",
        fits: |key| {
            key.verdict == Stricter && key.has(&["method `"]) && key.reactions[1].starts_with("301")
        },
    },
    Known {
        reason: "a malformed date in If-Range does not apply (RFC 9110 §13.1.5)",
        fits: |key| key.names(&["If-Range: "]) && key.has(&["field strewn"]),
    },
    Known {
        reason: "a date to come is a date (RFC 9110 §13.1.3)",
        fits: |key| key.names(&["If-Modified-Since: Fri, 31 Dec 9999"]),
    },
    Known {
        reason: "a date with the wrong weekday, or something behind it, is none (RFC 9110 §5.6.7)",
        fits: |key| {
            key.has(&["field strewn `If-Modified-Since"])
                || key.names(&[
                    "If-Modified-Since: Mon",
                    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37",
                ])
        },
    },
    Known {
        reason: "OPTIONS: 204 with Allow (RFC 9110 §9.3.7)",
        fits: |key| key.has(&["method `OPTIONS"]),
    },
    Known {
        reason: "the connection stays after a method that is not served, also with a target that is none \
                 (RFC 9110 §15.5.6, §15.6.2)",
        fits: |key| {
            matches!(key.verdict, Laxer | ThreeWays)
                && (key.reactions[0].contains("501, ") || key.reactions[0].contains("405, "))
        },
    },
    Known {
        reason: "`close` is one of the tokens of Connection, and no part of one (RFC 9110 §7.6.1)",
        fits: |key| {
            key.has(&["field strewn `Connection"])
                || key.names(&[
                    "Connection: \\\"close",
                    "Connection: close x",
                    "Connection: close;a",
                ])
        },
    },
    Known {
        reason: "who expects 100 has the final answer at once, and the connection ends (RFC 9110 §10.1.1)",
        fits: |key| key.names(&["Expect: 100-"]),
    },
    Known {
        reason: "the answer does not wait for a large content, nor depend on it (RFC 9110 §9.3.1)",
        fits: |key| {
            key.verdict == Laxer
                && key.names(&[
                    "Content-Length: 4294967301",
                    "Content-Length: 92233",
                    "Content-Length: 99999",
                ])
        },
    },
    Known {
        reason: "fields may have 32 KiB, not 8 (RFC 9110 §5.4 names no limit)",
        fits: |key| key.verdict == Laxer && key.has(&["long value", "long name"]),
    },
    Known {
        reason: "dots and encoded bytes are characters of a host (RFC 3986 §3.2.2)",
        fits: |key| {
            key.verdict == Laxer
                && (key.has(&["form `http:", "form `HTTP:", "form `https:"])
                    || (key.has(&["host "]) && key.names(&["..", ".\\r"])))
        },
    },
    Known {
        reason: "empty members of a list are ignored (RFC 9110 §5.6.1)",
        fits: |key| {
            key.verdict == Laxer
                && key.names(&[
                    "Encoding: chunked,",
                    "Encoding: ,",
                    "Encoding:\\r",
                    "Encoding: \\r",
                ])
        },
    },
    Known {
        reason: "an invalid Host is refused beside an absolute target as well (RFC 9112 §3.2)",
        fits: |key| key.verdict == Stricter && key.has(&["form `"]) && key.has(&["host "]),
    },
    Known {
        reason: "a port beyond 65535 is none (RFC 9293 §3.1)",
        fits: |key| key.verdict == Stricter && key.names(&["a:99999"]),
    },
    Known {
        reason: "white space behind a chunk's size, and trailers that are no fields (RFC 9112 §7.1)",
        fits: |key| {
            key.verdict == Stricter
                && key.has(&["body `5 ", "body `5\\t", "body `0\\r\\nT", "body strewn"])
        },
    },
    Known {
        reason: "two special pieces, with each of which ours does what one of the others does",
        fits: |key| key.is_combined,
    },
];

/// The first matching entry.
pub(crate) fn known(key: &Key) -> Option<&'static Known> {
    let entries = match key.verdict {
        Fault => return None,
        Framing => FRAMING,
        _ => ANSWERS,
    };
    entries.iter().find(|known| (known.fits)(key))
}
