//! Content codings: which are undone, and their decoders (RFC 9110 §8.4).

pub(super) mod codings;
pub(super) mod decode;
pub(crate) mod decoder_slots;
