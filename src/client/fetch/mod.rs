//! One attempt at one URL: request, redirects, response, content.
//!
//! From the top down, each using those below: `attempt` decides what to do with a response; `split_fetch`
//! fetches a file in pieces; `completion` gives it its name; `response_use` decides how a response is
//! used; `receive` reads content into a `sink`; `fetcher` follows redirects; `exchange` sends one request.

pub(super) mod attempt;
pub(super) mod coding;
mod completion;
pub(super) mod context;
mod cookies;
pub(super) mod exchange;
mod fetcher;
mod receive;
mod redirects;
mod request;
mod response;
mod response_use;
mod sink;
pub(super) mod split;
pub(super) mod split_fetch;
