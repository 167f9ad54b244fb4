//! HTML that the server makes: the frame of its pages, quantities in words, error pages.

pub(super) mod error_page;
pub(super) mod page;
pub(super) mod quantity;
