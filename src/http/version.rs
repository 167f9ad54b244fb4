//! The protocol version of a message.

/// The protocol version, as far as it makes a difference (RFC 9110 §2.5): a higher minor version is
/// treated as the highest that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Http10,
    #[default]
    Http11,
}
