//! The server as its operator and its users see it.

mod behind_nginx;
mod cache;
mod clean_urls;
mod error_pages;
mod fallback;
mod logs;
mod messages;
mod panics;
mod paths;
mod program;
mod root;
mod status;
mod uploads;
