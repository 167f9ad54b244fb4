//! Who is let in.
//!
//! ```text
//! networks  by address: networks that are let in, and networks that are not
//! ```

pub(super) mod networks;
