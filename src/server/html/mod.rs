//! HTML of the server: the frame of its pages, quantities, error pages.

pub(super) mod error_page;
pub(super) mod page;
pub(super) mod quantity;
