//! The limits on connections: admission, rejection, rates, and closes that do not destroy a response.
//!
//! ```text
//! client     the client of a connection
//! rejection  why a connection is not served
//! accepted_connection  a connection that is not served yet
//! waiting_lines  who waits for a slot, and whose turn it is
//! client_table  what is known of each client, under one lock
//! admission  the two limits; permits
//! slot_queue  connections that wait for a slot
//! phase, connection_entry, registry   the open connections, which hold the permits
//! rates      rates that are shared evenly
//! connection_rates  the maximum rates that hold for a connection
//! client_event, client_log  what clients are refused, counted and logged by client
//! tls_rejections  rejections over TLS, within bounds
//! lingering  last responses, and closes that do not destroy them
//! ```

pub(super) mod accepted_connection;
pub(super) mod admission;
pub(super) mod client;
pub(super) mod client_event;
pub(super) mod client_log;
pub(super) mod client_table;
pub(super) mod connection_entry;
pub(super) mod connection_rates;
pub(super) mod lingering;
pub(super) mod phase;
pub(super) mod rates;
pub(super) mod registry;
pub(super) mod rejection;
pub(super) mod slot_queue;
pub(super) mod tls_rejections;
mod waiting_lines;
