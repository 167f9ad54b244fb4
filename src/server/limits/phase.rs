//! The phases of a connection, as the status page and the reclaiming of slots see them.
//!
//! ```text
//! Fresh ─▶ Reading ─▶ Sending ─▶ Idle ─┐
//!             ▲                        │
//!             └────────────────────────┘
//! Fresh ─▶ Reading ─▶ Fresh   around the handshake of TLS
//! any phase ─▶ Closing   by another thread; final
//! ```

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Open, and no request has begun.
    Fresh,
    /// Receiving a request, or in the handshake of TLS.
    Reading,
    /// Sending a response.
    Sending,
    /// Kept open between two requests.
    Idle,
    /// Closed by another thread; its own thread is about to end.
    Closing,
}

impl Phase {
    /// All phases, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Fresh, Self::Reading, Self::Sending, Self::Idle, Self::Closing];

    /// The phase as one lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Reading => "reading",
            Self::Sending => "sending",
            Self::Idle => "idle",
            Self::Closing => "closing",
        }
    }

    /// True in the middle of a request.
    pub(super) const fn is_active(self) -> bool {
        matches!(self, Self::Reading | Self::Sending)
    }

    pub(super) fn from_number(number: u8) -> Self {
        Self::ALL[usize::from(number)]
    }
}
