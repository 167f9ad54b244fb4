//! Who is let in.
//!
//! ```text
//! networks       by address: networks that are let in, and networks that are not
//! password_hash  a hash that passwords are compared with
//! password_file  users and their hashes
//! known_clients  the clients that have logged in lately
//! places         whose password is verified next
//! attempts       verifications, which wait for their turn
//! authenticator  by user and password
//! ```

mod attempts;
pub(super) mod authenticator;
mod known_clients;
pub(super) mod networks;
pub(super) mod password_file;
pub(super) mod password_hash;
mod places;
