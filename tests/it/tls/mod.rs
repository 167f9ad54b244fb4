//! The server over TLS.

mod any_certificate;
mod certificate_files;
mod certificates;
mod closing;
mod conformance;
mod features;
mod handshakes;
mod lifetime;
mod openssl;
mod programs;
mod redirect;
mod refusals;
mod scanners;
mod site;
mod transfers;
