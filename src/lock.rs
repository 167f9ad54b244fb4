//! Locks a mutex, poisoned or not.
//!
//! No code that may panic runs under the locks of both programs, or each change under them is complete at
//! once: so poisoned data is as good as any. A guard whose `Drop` locks must not panic while its thread
//! unwinds, which would abort the program.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Locks `mutex`, poisoned or not.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Releases the lock until `condvar` is notified, at most for `timeout`. It may return earlier.
pub fn wait_timeout<'m, T>(
    condvar: &Condvar,
    guard: MutexGuard<'m, T>,
    timeout: Duration,
) -> MutexGuard<'m, T> {
    condvar.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner).0
}
