//! How many files and sockets the process may have open at a time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit on descriptors to `needed`, as far as it is lower and the hard limit allows, and
/// says what it is then (setrlimit(2), `RLIMIT_NOFILE`).
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
