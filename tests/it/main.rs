//! The two programs over real sockets and real files.

mod client_fetch;
mod client_program;
mod conformance_conditional;
mod conformance_content;
mod conformance_files;
mod conformance_framing;
mod conformance_listing;
mod conformance_messages;
mod conformance_methods;
mod conformance_names;
mod conformance_ranges;
mod layers;
mod second_opinion;
mod server_limits;
mod server_logs;
mod server_messages;
mod server_paths;
mod server_program;
mod server_status;
mod support;
mod two_programs;
