//! The server over TLS.

mod any_certificate;
mod certificate_files;
mod certificates;
