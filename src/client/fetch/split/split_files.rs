//! The split files of a run, among which workers without a job find one to help with.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::split_file::SplitFile;
use crate::lock::{lock, wait_timeout};

/// The longest wait for a file to help with before the files are examined again.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The files of a run that are being split.
#[derive(Debug)]
pub(crate) struct SplitFiles {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    files: Vec<Arc<SplitFile>>,
    /// Jobs that cannot be split: their servers have no ranges, or changed the content.
    unsplittable: Vec<usize>,
    jobs_left: usize,
}

impl SplitFiles {
    /// The empty list of a run with this many jobs.
    pub(crate) fn new(jobs: usize) -> Self {
        let state = State { files: Vec::new(), unsplittable: Vec::new(), jobs_left: jobs };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(crate) fn add(&self, split: &Arc<SplitFile>) {
        lock(&self.state).files.push(Arc::clone(split));
        self.changed.notify_all();
    }

    /// The split file of a job, from an earlier attempt.
    pub(crate) fn of(&self, index: usize) -> Option<Arc<SplitFile>> {
        lock(&self.state).files.iter().find(|split| split.index() == index).cloned()
    }

    pub(crate) fn remove(&self, index: usize) -> Option<Arc<SplitFile>> {
        let mut state = lock(&self.state);
        let position = state.files.iter().position(|split| split.index() == index)?;
        Some(state.files.remove(position))
    }

    /// Removes the file of a job, which is not split again.
    pub(crate) fn give_up(&self, index: usize) {
        self.remove(index);
        lock(&self.state).unsplittable.push(index);
    }

    pub(crate) fn may_split(&self, index: usize) -> bool {
        !lock(&self.state).unsplittable.contains(&index)
    }

    /// Counts a job as done, split or not. The waiting workers are woken for the last one alone, which
    /// saves a system call for each of the others.
    pub(crate) fn finish_job(&self) {
        let mut state = lock(&self.state);
        state.jobs_left -= 1;
        if state.jobs_left == 0 {
            self.changed.notify_all();
        }
    }

    /// Waits for a file to help with, the one that misses most; `None` when all jobs are done.
    pub(crate) fn next_to_help(&self) -> Option<Arc<SplitFile>> {
        let mut state = lock(&self.state);
        while state.jobs_left > 0 {
            let missing = |split: &&Arc<SplitFile>| split.missing_bytes();
            let helpable = state.files.iter().filter(|split| split.wants_helper());
            if let Some(split) = helpable.max_by_key(missing) {
                return Some(Arc::clone(split));
            }
            state = wait_timeout(&self.changed, state, POLL_INTERVAL);
        }
        None
    }
}
