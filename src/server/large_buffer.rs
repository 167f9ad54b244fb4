//! Vectors that are mappings of their own, outside the heaps of the threads.
//!
//! glibc gives each connection's thread a heap, shared with a few others, and gives back only what is free
//! at its end. A large piece in a heap makes it grow; one that outlives its connection keeps it from
//! shrinking. A mapping goes back to the system as soon as it is freed, and takes no more memory than is
//! written to.

/// More than glibc ever takes from a heap (mallopt(3), `M_MMAP_THRESHOLD`: 32 MiB at most). To free it leaves
/// glibc's thresholds as they are, which follow the largest smaller piece that was mapped and freed, and with
/// them what each heap keeps.
const BYTES: usize = 33 * 1024 * 1024;

/// Makes room for `additional` elements, where there is none, in a mapping. Where the address space has no
/// room for one (`ulimit -v`), the vector is left to grow as it must.
pub(super) fn reserve<T>(vector: &mut Vec<T>, additional: usize) {
    if additional > vector.capacity() - vector.len() {
        let _ = vector.try_reserve_exact(additional.max(BYTES / size_of::<T>()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_is_asked_and_for_more_than_a_heap_holds() {
        let mut vector = vec![7_u64; 3];
        reserve(&mut vector, 1);
        assert!(vector.capacity() * 8 > 32 * 1024 * 1024);
        let (start, capacity) = (vector.as_ptr(), vector.capacity());
        reserve(&mut vector, capacity - 3);
        assert_eq!((vector.as_ptr(), vector.capacity()), (start, capacity), "there was room");
        reserve(&mut vector, capacity);
        assert!(vector.capacity() >= capacity + 3);
        assert_eq!(vector, [7; 3]);
        reserve(&mut vector, usize::MAX);
        assert_eq!(vector, [7; 3], "there is no such room, and nothing was lost");
    }
}
