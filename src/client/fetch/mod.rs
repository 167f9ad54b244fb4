//! One attempt at one URL: request, redirects, answer, content.

mod attempt;
mod coded_content;
pub(super) mod coding;
mod cookies;
mod decoded;
mod discard;
pub(super) mod exchange;
pub(super) mod fetcher;
mod pieces;
mod redirects;
mod request;
mod response_use;
pub(super) mod split;
