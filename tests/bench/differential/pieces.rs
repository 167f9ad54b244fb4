//! What may stand at each place of a message: valid forms, forms that were seen to be read differently,
//! and forms that are nothing.

#[path = "pieces/field.rs"]
pub(crate) mod field;
#[path = "pieces/framing.rs"]
pub(crate) mod framing;
#[path = "pieces/host.rs"]
pub(crate) mod host;
#[path = "pieces/line.rs"]
pub(crate) mod line;
