//! The limits of the server: on connections, time and resources.

mod admission;
mod drain_delay;
mod haproxy;
mod identity;
mod idle_slots;
mod nginx_stream;
mod proxy_protocol;
mod rates;
mod rejections;
mod resources;
mod shutdown;
mod slow_peers;
mod waiting;
mod waiting_programs;
