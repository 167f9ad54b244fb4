//! Why a connection is closed, and the decision whether it is closed after a response.

use std::fmt;

use crate::http::Status;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// `Connection: close`, or HTTP/1.0 without `Connection: keep-alive`.
    PeerAsked,
    /// The request was refused, and bytes after it cannot be trusted to be another request.
    Refused,
    /// The request had a password that was wrong, or was not verified: one who guesses holds no idle connection.
    Guess,
    /// Too many connections are open to keep an idle one.
    Crowded,
    /// The connection has served its maximum number of requests.
    RequestLimit,
    /// The server is stopping.
    Stopping,
    /// The client was sent to another port, where it needs the slot.
    Redirected,
    /// Its slot was given to another connection while it was idle.
    Reclaimed,
    /// The request has content that the server did not read.
    UnreadContent,
    /// Only the close marks the end of the response.
    Undelimited,
    /// The response was not sent whole.
    Incomplete,
    /// The same, and the close would mark its end: only a reset tells the peer.
    IncompleteUndelimited,
    /// The peer closed between two requests.
    PeerClosed,
    /// The peer closed within a request.
    RequestCut,
    /// The peer disconnected within a request or a response.
    PeerVanished,
    /// No request arrived in time.
    Idle,
    /// The peer received too slowly for too long.
    Slow,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerAsked => "the client asked for it",
            Self::Refused => "the request was refused",
            Self::Guess => "the password was wrong, or was not verified",
            Self::Crowded => "too many connections are open to keep an idle one",
            Self::RequestLimit => "the limit of requests for each connection",
            Self::Stopping => "the server is stopping",
            Self::Redirected => "the client was redirected",
            Self::Reclaimed => "its slot was needed while it was idle",
            Self::UnreadContent => "the content of the request was not read",
            Self::Undelimited => "the close marks the end of the response",
            Self::Incomplete | Self::IncompleteUndelimited => "the response was not sent whole",
            Self::PeerClosed => "the client closed it",
            Self::RequestCut => "the client closed it within a request",
            Self::PeerVanished => "the client disconnected",
            Self::Idle => "no request arrived in time",
            Self::Slow => "the client received too slowly",
        })
    }
}

impl CloseReason {
    /// True if the peer must not take what it has received for the whole, or what is unsent is not worth
    /// keeping: the connection is closed with RST, and the kernel discards unsent data, which it would keep
    /// for minutes.
    pub(super) fn demands_reset(self) -> bool {
        matches!(self, Self::Slow | Self::IncompleteUndelimited)
    }

    /// True unless something is missing of what the peer was to receive: then nothing tells it that it has all.
    pub(super) fn is_orderly(self) -> bool {
        !matches!(
            self,
            Self::Incomplete | Self::IncompleteUndelimited | Self::PeerVanished | Self::Slow
        )
    }

    /// True if unread input may remain: closing would send RST and could destroy the response. A client
    /// that learns only from the response that it is the last may have sent another request.
    pub(super) fn leaves_input_unread(self) -> bool {
        match self {
            Self::Refused
            | Self::UnreadContent
            | Self::Guess
            | Self::Crowded
            | Self::RequestLimit
            | Self::Undelimited
            | Self::Redirected
            | Self::Stopping => true,
            Self::PeerAsked
            | Self::Reclaimed
            | Self::Incomplete
            | Self::IncompleteUndelimited
            | Self::PeerClosed
            | Self::RequestCut
            | Self::PeerVanished
            | Self::Idle
            | Self::Slow => false,
        }
    }
}

/// The conditions under which a connection is closed after a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of its own")]
pub(super) struct CloseConditions {
    /// The request has content that was not read.
    pub(super) has_unread_content: bool,
    /// Bytes after the request must not be parsed as another request: see [`is_untrustworthy`].
    pub(super) is_untrustworthy: bool,
    /// The client asks for the close.
    pub(super) peer_asks: bool,
    /// Only the close marks the end of the response.
    pub(super) is_undelimited: bool,
    pub(super) is_stopping: bool,
    /// The response sends the client to another port.
    pub(super) is_redirect: bool,
    /// The request has a password that is wrong, or was not verified.
    pub(super) is_guess: bool,
    pub(super) is_crowded: bool,
    /// This was the last request that one connection may send.
    pub(super) is_last: bool,
}

impl CloseConditions {
    /// The reason of the first condition that holds; `None` keeps the connection.
    pub(super) fn close_reason(self) -> Option<CloseReason> {
        let reasons = [
            (self.has_unread_content, CloseReason::UnreadContent),
            (self.is_untrustworthy, CloseReason::Refused),
            (self.peer_asks, CloseReason::PeerAsked),
            (self.is_undelimited, CloseReason::Undelimited),
            (self.is_stopping, CloseReason::Stopping),
            (self.is_redirect, CloseReason::Redirected),
            (self.is_guess, CloseReason::Guess),
            (self.is_crowded, CloseReason::Crowded),
            (self.is_last, CloseReason::RequestLimit),
        ];
        reasons.into_iter().find(|(holds, _)| *holds).map(|(_, reason)| reason)
    }
}

/// Whether bytes after the request must not be parsed as another request.
///
/// A client that gets 400 sent something unintended, or something that an intermediary parsed
/// differently; nginx and Apache close then as well. Requests that are refused while they are read (414,
/// 417, 431, 501 for a coding, 505) do not come here: their end is unknown. Other refused requests are
/// well-formed, and their ends do not depend on method, target or preconditions (RFC 9112 §6.3): after
/// 404, 405, 412, 416 and 501 for a method the connection is kept.
pub(super) fn is_untrustworthy(method: &[u8], status: Status) -> bool {
    // Bytes after CONNECT may be meant for the other end of the tunnel, which was not made.
    status == Status::BAD_REQUEST || method == b"CONNECT"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_condition_closes_a_connection_and_without_one_it_is_kept() {
        let none = CloseConditions::default();
        let cases = [
            (CloseConditions { is_last: true, ..none }, CloseReason::RequestLimit),
            (CloseConditions { is_crowded: true, ..none }, CloseReason::Crowded),
            (CloseConditions { is_guess: true, ..none }, CloseReason::Guess),
            (CloseConditions { is_redirect: true, ..none }, CloseReason::Redirected),
            (CloseConditions { is_stopping: true, ..none }, CloseReason::Stopping),
            (CloseConditions { is_undelimited: true, ..none }, CloseReason::Undelimited),
            (CloseConditions { peer_asks: true, ..none }, CloseReason::PeerAsked),
            (CloseConditions { is_untrustworthy: true, ..none }, CloseReason::Refused),
            (CloseConditions { has_unread_content: true, ..none }, CloseReason::UnreadContent),
        ];
        assert_eq!(none.close_reason(), None);
        let mut all = none;
        for (alone, expected) in cases {
            assert_eq!(alone.close_reason(), Some(expected), "{alone:?}");
            // Each takes precedence over those above it.
            all = CloseConditions {
                has_unread_content: all.has_unread_content || alone.has_unread_content,
                is_untrustworthy: all.is_untrustworthy || alone.is_untrustworthy,
                peer_asks: all.peer_asks || alone.peer_asks,
                is_undelimited: all.is_undelimited || alone.is_undelimited,
                is_stopping: all.is_stopping || alone.is_stopping,
                is_redirect: all.is_redirect || alone.is_redirect,
                is_guess: all.is_guess || alone.is_guess,
                is_crowded: all.is_crowded || alone.is_crowded,
                is_last: all.is_last || alone.is_last,
            };
            assert_eq!(all.close_reason(), Some(expected), "{all:?}");
        }
    }

    #[test]
    fn an_untrustworthy_request_is_the_last_of_its_connection() {
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
