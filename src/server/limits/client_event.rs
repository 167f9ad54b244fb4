//! The events that are counted and logged by client.

/// An event that an attacker can cause thousands of times a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientEvent {
    /// A connection was over a limit.
    Rejected,
    /// A connection came from an address that is not let in.
    Denied,
    /// A request came with a wrong password.
    WrongPassword,
}

/// How often each event happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventCounts([u64; ClientEvent::ALL.len()]);

impl ClientEvent {
    pub(super) const ALL: [Self; 3] = [Self::Rejected, Self::Denied, Self::WrongPassword];
}

impl EventCounts {
    pub(crate) fn get(self, event: ClientEvent) -> u64 {
        self.0[event as usize]
    }

    /// Counts an event, and returns how often it has happened.
    pub(super) fn increment(&mut self, event: ClientEvent) -> u64 {
        let count = &mut self.0[event as usize];
        *count += 1;
        *count
    }

    pub(super) fn are_zero(self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }
}
