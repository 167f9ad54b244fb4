//! The protocol version of a message (RFC 9110 §2.5).

/// The protocol version. A minor version above 1 is treated as HTTP/1.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Http10,
    #[default]
    Http11,
}
