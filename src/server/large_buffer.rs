//! Vectors in memory mappings of their own, outside the heaps of the threads.
//!
//! glibc gives each connection's thread a heap, shared with a few others, and returns only the free end of
//! it to the system. A large allocation makes a heap grow; one that outlives its connection keeps it from
//! shrinking. A mapping is returned as soon as it is freed, and takes no more memory than is written to.

/// Above the largest size that glibc ever takes from a heap (mallopt(3), `M_MMAP_THRESHOLD`: 32 MiB). glibc
/// raises its threshold to the largest mapping freed below that size; freeing this one leaves it alone.
const BYTES: usize = 33 * 1024 * 1024;

/// Reserves room for `additional` elements in a mapping, unless the vector has that room. If the address
/// space has no room for a mapping (`ulimit -v`), the vector is left to grow by itself.
pub(super) fn reserve<T>(vector: &mut Vec<T>, additional: usize) {
    if additional > vector.capacity() - vector.len() {
        let _ = vector.try_reserve_exact(additional.max(BYTES / size_of::<T>()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_vector_is_larger_than_a_heap_allocation_can_be() {
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
