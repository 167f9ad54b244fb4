//! The workers that fit into the address space (`ulimit -v`) and the data segment (`ulimit -d`).
//!
//! A failed allocation ends the program, so there are only as many workers as have enough memory.

use std::sync::Once;
use std::{env, fs, thread};

use rustix::process::{Resource, getrlimit};

/// A worker: its stack, its buffers, and the buffers of a TLS connection and a gzip decoder.
const WORKER_BYTES: u64 = 1536 * 1024;

/// A decoder with a large window. The window of zstd has 8 MiB, in a buffer that grows to 16 MiB while the
/// old one is still allocated; the window of brotli has up to 16 MiB.
const DECODER_BYTES: u64 = 26 << 20;

/// Everything else: jobs and outcomes, root certificates, look-up threads, reports.
const RESERVE_BYTES: u64 = 32 << 20;

/// The address space that glibc reserves for an allocation arena. It has one for each thread, up to eight for each processor
/// (mallopt(3), `M_ARENA_MAX`).
const ARENA_BYTES: u64 = 64 << 20;
const ARENAS_PER_PROCESSOR: u64 = 8;

static WARNED: Once = Once::new();

/// The numbers that fit into the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    pub(super) workers: usize,
    /// Decoders with large windows.
    pub(super) decoders: usize,
}

/// The workers, up to `wanted`, and the decoders that fit; at least one of each.
pub(super) fn capacity(wanted: usize) -> Capacity {
    let free = free_bytes(Resource::As, "VmSize:").map(|free| fit(wanted, free, arenas()));
    // Unused arenas do not count as data.
    let data = free_bytes(Resource::Data, "VmData:").map(|free| fit(wanted, free, 0));
    let unlimited = Capacity { workers: wanted, decoders: wanted };
    let capacity = free.into_iter().chain(data).fold(unlimited, |one, other| Capacity {
        workers: one.workers.min(other.workers),
        decoders: one.decoders.min(other.decoders),
    });
    let workers = capacity.workers;
    if workers < wanted {
        // Once, as an experiment has many runs.
        WARNED.call_once(|| {
            log::warn!(
                "only {workers} of {wanted} connections at a time: the memory is limited (ulimit -v, \
                 ulimit -d)"
            );
        });
    }
    capacity
}

fn fit(wanted: usize, free: u64, arenas: u64) -> Capacity {
    let room = free.saturating_sub(RESERVE_BYTES.max(free / 4));
    let for_workers = room.saturating_sub(DECODER_BYTES);
    let each = WORKER_BYTES + ARENA_BYTES;
    let workers = if for_workers < each.saturating_mul(arenas) {
        for_workers / each
    } else {
        for_workers.saturating_sub(ARENA_BYTES * arenas) / WORKER_BYTES
    };
    let workers = workers.clamp(1, wanted.max(1) as u64);
    let used = WORKER_BYTES * workers + ARENA_BYTES * arenas.min(workers);
    let decoders = (room.saturating_sub(used) / DECODER_BYTES).clamp(1, workers);
    let count = |count: u64| usize::try_from(count).expect("at most the number of wanted workers");
    Capacity { workers: count(workers), decoders: count(decoders) }
}

/// The free bytes of a limit; `None` without a limit. `used` begins the line of `/proc/self/status` that
/// has the bytes in use (proc(5)).
fn free_bytes(limit: Resource, used: &str) -> Option<u64> {
    let limit = getrlimit(limit).current?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let used = status.lines().find_map(|line| line.strip_prefix(used)?.split_whitespace().next());
    let used_kib: u64 = used.and_then(|used| used.parse().ok()).unwrap_or_default();
    Some(limit.saturating_sub(used_kib * 1024))
}

/// The number of arenas, without that of the main thread.
fn arenas() -> u64 {
    let chosen = env::var("MALLOC_ARENA_MAX").ok().and_then(|most| most.parse::<u64>().ok());
    let processors = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    chosen.filter(|most| *most > 0).unwrap_or(processors * ARENAS_PER_PROCESSOR) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_fit_into_the_free_memory() {
        let mib = |count: u64| count << 20;
        for (wanted, free, arenas, workers, decoders) in [
            (300, mib(10_000), 0, 300, 271),
            (300, mib(280), 0, 122, 1),
            (50, mib(280), 0, 50, 5),
            (5, mib(280), 0, 5, 5),
            (300, mib(62), 0, 2, 1),
            (300, mib(20), 0, 1, 1),
            (300, 0, 15, 1, 1),
            (300, mib(280), 15, 2, 2),
            (300, mib(1600), 15, 142, 1),
            (300, u64::MAX, 15, 300, 300),
        ] {
            let expected = Capacity { workers, decoders };
            assert_eq!(fit(wanted, free, arenas), expected, "{wanted} in {free}, {arenas} arenas");
        }
    }
}
