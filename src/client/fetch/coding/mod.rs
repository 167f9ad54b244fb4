//! Content codings: which are decoded, and their decoders (RFC 9110 §8.4).

pub(super) mod bounded;
pub(super) mod codings;
mod decode;
pub(crate) mod decoder_slots;
