//! The server over TLS.

mod certificates;
