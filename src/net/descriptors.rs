//! The limit on open files and sockets of the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit on open descriptors to `needed`, or to the hard limit if that is lower, and
/// returns the limit then in effect (setrlimit(2), `RLIMIT_NOFILE`). A higher limit is not lowered.
#[must_use]
pub fn raise_descriptor_limit(needed: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let limit = current.unwrap_or(u64::MAX);
    if limit >= needed {
        return limit;
    }
    let raised = needed.min(maximum.unwrap_or(u64::MAX));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(error) => {
            log::debug!("cannot raise the descriptor limit to {raised}: {error}");
            limit
        }
    }
}
