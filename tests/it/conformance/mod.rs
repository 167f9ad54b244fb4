//! The server against the specifications of HTTP, as tables of cases, and against other programs.

mod conditional;
mod content;
mod files;
mod framing;
mod listing;
mod messages;
mod methods;
mod names;
mod ranges;
mod second_opinion;
mod types;
mod zsync;
