//! An HTTP/1.1 server and a downloader of the classic kind: blocking sockets, a thread for each
//! connection, no event loop.
//!
//! ```text
//!            bin: http_server_conc      bin: http_client_concurrent
//!                       │                   │        │
//!                       ▼                   ▼        ▼
//!                    server             client ◀── lab
//!                       │                   │
//!                       └───────▶ net ◀─────┘     sockets with deadlines
//!                                  │
//!                                  ▼
//!                                 http            bytes and values
//! ```
//!
//! [`http`] knows no sockets, files, threads or clock: every rule of the protocol is a pure function
//! there. [`printable`] says what may be shown of a peer's bytes. [`net`] reads heads and bodies off streams, under deadlines. [`server`] and [`client`] never
//! see each other. [`cli`] is what the two command lines share. The library prints nothing and its
//! errors are types; words for the terminal are the programs'.

#![forbid(unsafe_code)]

pub mod cli;
pub mod client;
pub mod http;
pub mod lab;
pub mod net;
pub mod printable;
pub mod server;
