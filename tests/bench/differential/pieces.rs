//! The pieces for each place of a message: valid forms, forms that servers read differently, and invalid
//! forms.

#[path = "pieces/field.rs"]
pub(crate) mod field;
#[path = "pieces/framing.rs"]
pub(crate) mod framing;
#[path = "pieces/host.rs"]
pub(crate) mod host;
#[path = "pieces/line.rs"]
pub(crate) mod line;
