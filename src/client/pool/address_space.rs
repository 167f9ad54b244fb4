//! Address space (`ulimit -v`) and data (`ulimit -d`): as many workers as fit into them, or else fewer.
//! A failed allocation ends the program, so what the workers may need is left free beforehand.

use std::sync::Once;
use std::{env, fs, thread};

use rustix::process::{Resource, getrlimit};

/// For each worker: its stack, its buffers, and those of a TLS connection and of a gzip decoder.
const WORKER_BYTES: u64 = 1536 * 1024;

/// For each decoder with a window: one of zstd has 8 MiB, in a buffer that doubles to 16 MiB while the
/// half is still there; one of brotli has up to 16 MiB.
const DECODER_BYTES: u64 = 26 << 20;

/// Beside those: jobs and outcomes, the system's certificates, threads for look-ups, documents.
const RESERVE_BYTES: u64 = 32 << 20;

/// What glibc sets aside for each of its allocation arenas, of which it makes one for each new thread, up to
/// eight for each processor (mallopt(3), `M_ARENA_MAX`).
const ARENA_BYTES: u64 = 64 << 20;
const ARENAS_PER_PROCESSOR: u64 = 8;

static WARNED: Once = Once::new();

/// What there can be at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bearable {
    pub(super) workers: usize,
    /// Decoders with a window.
    pub(super) decoders: usize,
}

/// So many of the wanted workers, and of decoders for them, as the limits bear; at least one of each.
pub(super) fn bearable(wanted: usize) -> Bearable {
    let free = free_bytes(Resource::As, "VmSize:").map(|free| fit(wanted, free, arenas()));
    // Arenas are no data before they are used.
    let data = free_bytes(Resource::Data, "VmData:").map(|free| fit(wanted, free, 0));
    let unlimited = Bearable { workers: wanted, decoders: wanted };
    let bearable = free.into_iter().chain(data).fold(unlimited, |one, other| Bearable {
        workers: one.workers.min(other.workers),
        decoders: one.decoders.min(other.decoders),
    });
    let workers = bearable.workers;
    if workers < wanted {
        // An experiment has many runs.
        WARNED.call_once(|| {
            log::warn!(
                "only {workers} of {wanted} connections at a time: the memory is limited (ulimit -v, \
                 ulimit -d)"
            );
        });
    }
    bearable
}

fn fit(wanted: usize, free: u64, arenas: u64) -> Bearable {
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
    let count = |count: u64| usize::try_from(count).expect("no more than were wanted");
    Bearable { workers: count(workers), decoders: count(decoders) }
}

/// What remains of a limit, of which the process uses what this line of its status says (proc(5)); `None`
/// without a limit.
fn free_bytes(limit: Resource, used: &str) -> Option<u64> {
    let limit = getrlimit(limit).current?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let used = status.lines().find_map(|line| line.strip_prefix(used)?.split_whitespace().next());
    let used_kib: u64 = used.and_then(|used| used.parse().ok()).unwrap_or_default();
    Some(limit.saturating_sub(used_kib * 1024))
}

/// How many arenas there may be beside the one of the first thread.
fn arenas() -> u64 {
    let chosen = env::var("MALLOC_ARENA_MAX").ok().and_then(|most| most.parse::<u64>().ok());
    let processors = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    chosen.filter(|most| *most > 0).unwrap_or(processors * ARENAS_PER_PROCESSOR) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_fitted_into_the_memory_that_is_free() {
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
            let expected = Bearable { workers, decoders };
            assert_eq!(fit(wanted, free, arenas), expected, "{wanted} in {free}, {arenas} arenas");
        }
    }
}
