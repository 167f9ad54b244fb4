//! Who is let in.

mod networks;
