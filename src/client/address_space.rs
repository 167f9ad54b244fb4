//! Address space (`ulimit -v`) and data (`ulimit -d`): as many workers as fit into them, or else fewer.
//! A failed allocation ends the program, so what the workers may need is left free beforehand.

use std::sync::Once;
use std::{env, fs, thread};

use rustix::process::{Resource, getrlimit};

use super::settings::Compression;

/// For each worker: its stack, its buffers, and those of a TLS connection and of a decoder of gzip.
const WORKER_BYTES: u64 = 1536 * 1024;

/// For each worker where codings are asked for: a decoder of zstd, whose window of 8 MiB is copied into one
/// of twice the size as it grows. One of brotli needs less.
const DECODER_BYTES: u64 = 24 << 20;

/// Beside those: jobs and outcomes, the system's certificates, threads for look-ups, documents.
const RESERVE_BYTES: u64 = 32 << 20;

/// What glibc sets aside for each of its allocation arenas, of which it makes one for each new thread, up to
/// eight for each processor (mallopt(3), `M_ARENA_MAX`).
const ARENA_BYTES: u64 = 64 << 20;
const ARENAS_PER_PROCESSOR: u64 = 8;

static WARNED: Once = Once::new();

/// So many of the wanted workers as the limits bear, at least one.
pub(super) fn bearable(wanted: usize, compression: Compression) -> usize {
    let each = match compression {
        Compression::Asked => WORKER_BYTES + DECODER_BYTES,
        Compression::NotAsked => WORKER_BYTES,
    };
    let free = free_bytes(Resource::As, "VmSize:").map(|free| fit(wanted, each, free, arenas()));
    // Arenas are no data before they are used.
    let data = free_bytes(Resource::Data, "VmData:").map(|free| fit(wanted, each, free, 0));
    let workers = free.into_iter().chain(data).fold(wanted, usize::min);
    if workers < wanted {
        // An experiment has many runs.
        WARNED.call_once(|| {
            log::warn!(
                "only {workers} of {wanted} connections at a time: the memory is limited (ulimit -v, \
                 ulimit -d)"
            );
        });
    }
    workers
}

fn fit(wanted: usize, each: u64, free: u64, arenas: u64) -> usize {
    let room = free.saturating_sub(RESERVE_BYTES.max(free / 4));
    let each_with_arena = each + ARENA_BYTES;
    let workers = if room < each_with_arena.saturating_mul(arenas) {
        room / each_with_arena
    } else {
        room.saturating_sub(ARENA_BYTES * arenas) / each
    };
    usize::try_from(workers).map_or(wanted, |workers| workers.clamp(1, wanted.max(1)))
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
        for (wanted, free, arenas, workers) in [
            (300, mib(10_000), 0, 300),
            (300, mib(280), 0, 140),
            (5, mib(280), 0, 5),
            (300, mib(62), 0, 20),
            (300, mib(20), 0, 1),
            (300, 0, 15, 1),
            (300, mib(280), 15, 3),
            (300, mib(1600), 15, 160),
            (300, u64::MAX, 15, 300),
        ] {
            let found = fit(wanted, WORKER_BYTES, free, arenas);
            assert_eq!(found, workers, "{wanted} in {free}, {arenas} arenas");
        }
        assert_eq!(fit(300, WORKER_BYTES + DECODER_BYTES, mib(280), 0), 8);
    }
}
