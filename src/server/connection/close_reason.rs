//! Why a connection ends, and the decision whether it does after a response.

use std::fmt;

use crate::http::Status;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// `Connection: close`, or HTTP/1.0 without `Connection: keep-alive`.
    PeerAsked,
    /// The request was refused in a way that makes what follows it untrustworthy.
    Refused,
    /// So many connections are open that none is kept idle.
    Crowded,
    /// The connection has served as many requests as it may.
    RequestLimit,
    /// The server is stopping.
    Stopping,
    /// Its slot was handed on while it was idle.
    Reclaimed,
    /// The request has content that the server did not read.
    UnreadContent,
    /// The end of the response shows only by the close.
    Undelimited,
    /// The response could not be sent whole.
    Incomplete,
    /// The peer closed, between two requests.
    PeerClosed,
    /// The peer went away in the middle of a request or a response.
    PeerVanished,
    /// No request came in time.
    Idle,
    /// The peer took too little of a response for too long.
    Slow,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerAsked => "the client asked for it",
            Self::Refused => "the request was refused",
            Self::Crowded => "too many connections are open to keep one idle",
            Self::RequestLimit => "it has served its number of requests",
            Self::Stopping => "the server is stopping",
            Self::Reclaimed => "its slot was handed on while it was idle",
            Self::UnreadContent => "the request's content was not read",
            Self::Undelimited => "only its end tells where the response ends",
            Self::Incomplete => "the response could not be sent whole",
            Self::PeerClosed => "the client closed it",
            Self::PeerVanished => "the client went away",
            Self::Idle => "no request came in time",
            Self::Slow => "the client took too little for too long",
        })
    }
}

impl CloseReason {
    /// The peer may have sent what was not read: closing at once would take its answer away. Whoever is
    /// told only by the answer that it is the last may have sent a next request behind.
    pub(super) fn leaves_input_unread(self) -> bool {
        match self {
            Self::Refused
            | Self::UnreadContent
            | Self::Crowded
            | Self::RequestLimit
            | Self::Undelimited
            | Self::Stopping => true,
            Self::PeerAsked
            | Self::Reclaimed
            | Self::Incomplete
            | Self::PeerClosed
            | Self::PeerVanished
            | Self::Idle
            | Self::Slow => false,
        }
    }
}

/// What speaks against another request on a connection after a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of its own")]
pub(super) struct Objections {
    /// The request has content that was not read.
    pub(super) has_unread_content: bool,
    /// What follows the request must not be taken for another: see [`is_untrustworthy`].
    pub(super) is_untrustworthy: bool,
    /// The client asks for the close.
    pub(super) peer_asks: bool,
    /// The end of the response shows only by the close.
    pub(super) is_undelimited: bool,
    pub(super) is_stopping: bool,
    pub(super) is_crowded: bool,
    /// This was the last request that is served on one connection.
    pub(super) is_last: bool,
}

impl Objections {
    /// Why the connection is closed, by the first objection; `None` where it is kept.
    pub(super) fn decide(self) -> Option<CloseReason> {
        let reasons = [
            (self.has_unread_content, CloseReason::UnreadContent),
            (self.is_untrustworthy, CloseReason::Refused),
            (self.peer_asks, CloseReason::PeerAsked),
            (self.is_undelimited, CloseReason::Undelimited),
            (self.is_stopping, CloseReason::Stopping),
            (self.is_crowded, CloseReason::Crowded),
            (self.is_last, CloseReason::RequestLimit),
        ];
        reasons.into_iter().find(|(holds, _)| *holds).map(|(_, reason)| reason)
    }
}

/// What follows the request on its connection must not be taken for another request.
///
/// A client that gets 400 has sent what it did not mean to, or what a program between did not
/// understand as it is understood here; nginx and Apache close then as well. What is refused before
/// it is answered (414, 417, 431, 501 for a coding, 505) never comes here: its end is not known.
/// Other refusals are of well-formed requests, whose ends do not depend on their methods, targets or
/// preconditions (RFC 9112 §6.3): after 404, 405, 412, 416 and 501 for a method the next is served.
pub(super) fn is_untrustworthy(method: &[u8], status: Status) -> bool {
    // What follows a CONNECT may be meant for the other end of a tunnel that is not there.
    status == Status::BAD_REQUEST || method == b"CONNECT"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_objection_closes_a_connection_and_without_one_it_is_kept() {
        let none = Objections::default();
        let cases = [
            (Objections { is_last: true, ..none }, CloseReason::RequestLimit),
            (Objections { is_crowded: true, ..none }, CloseReason::Crowded),
            (Objections { is_stopping: true, ..none }, CloseReason::Stopping),
            (Objections { is_undelimited: true, ..none }, CloseReason::Undelimited),
            (Objections { peer_asks: true, ..none }, CloseReason::PeerAsked),
            (Objections { is_untrustworthy: true, ..none }, CloseReason::Refused),
            (Objections { has_unread_content: true, ..none }, CloseReason::UnreadContent),
        ];
        assert_eq!(none.decide(), None);
        let mut all = none;
        for (alone, expected) in cases {
            assert_eq!(alone.decide(), Some(expected), "{alone:?}");
            // Each comes before those above it.
            all = Objections {
                has_unread_content: all.has_unread_content || alone.has_unread_content,
                is_untrustworthy: all.is_untrustworthy || alone.is_untrustworthy,
                peer_asks: all.peer_asks || alone.peer_asks,
                is_undelimited: all.is_undelimited || alone.is_undelimited,
                is_stopping: all.is_stopping || alone.is_stopping,
                is_crowded: all.is_crowded || alone.is_crowded,
                is_last: all.is_last || alone.is_last,
            };
            assert_eq!(all.decide(), Some(expected), "{all:?}");
        }
    }

    #[test]
    fn a_request_in_doubt_is_the_last_of_its_connection() {
        for (method, status, is_last) in [
            (&b"GET"[..], Status::OK, false),
            (b"GET", Status::BAD_REQUEST, true),
            (b"GET", Status::NOT_FOUND, false),
            (b"POST", Status::METHOD_NOT_ALLOWED, false),
            (b"BREW", Status::NOT_IMPLEMENTED, false),
            (b"CONNECT", Status::METHOD_NOT_ALLOWED, true),
            (b"connect", Status::NOT_IMPLEMENTED, false),
        ] {
            assert_eq!(is_untrustworthy(method, status), is_last, "{status}");
        }
    }
}
