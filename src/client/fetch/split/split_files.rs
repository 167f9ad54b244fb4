//! The split files of a run: where workers that have nothing else to do look for something to help with.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::split_file::SplitFile;

/// The files of a run that several connections bring at present.
#[derive(Debug)]
pub(crate) struct SplitFiles {
    open: Mutex<Open>,
    changed: Condvar,
}

#[derive(Debug)]
struct Open {
    files: Vec<Arc<SplitFile>>,
    /// Jobs whose servers do not bear it.
    unsplittable: Vec<usize>,
    jobs_left: usize,
}

impl SplitFiles {
    /// Those of a run with so many jobs, none of which is split yet.
    pub(crate) fn new(jobs: usize) -> Self {
        let open = Open { files: Vec::new(), unsplittable: Vec::new(), jobs_left: jobs };
        Self { open: Mutex::new(open), changed: Condvar::new() }
    }

    pub(crate) fn add(&self, split: &Arc<SplitFile>) {
        self.lock().files.push(Arc::clone(split));
        self.changed.notify_all();
    }

    /// That of a job, from an earlier attempt.
    pub(crate) fn of(&self, index: usize) -> Option<Arc<SplitFile>> {
        self.lock().files.iter().find(|split| split.index == index).cloned()
    }

    pub(crate) fn remove(&self, index: usize) -> Option<Arc<SplitFile>> {
        let mut open = self.lock();
        let at = open.files.iter().position(|split| split.index == index)?;
        Some(open.files.remove(at))
    }

    /// A job's file is not to be split again.
    pub(crate) fn give_up(&self, index: usize) {
        self.remove(index);
        self.lock().unsplittable.push(index);
    }

    pub(crate) fn may_split(&self, index: usize) -> bool {
        !self.lock().unsplittable.contains(&index)
    }

    /// One job is done with, split or not. Those who wait need to know of the last one alone: waking nobody
    /// costs a system call as well.
    pub(crate) fn job_is_done(&self) {
        let mut open = self.lock();
        open.jobs_left -= 1;
        if open.jobs_left == 0 {
            self.changed.notify_all();
        }
    }

    /// Waits for a file to help with; `None` when all jobs are done.
    pub(crate) fn next_to_help(&self) -> Option<Arc<SplitFile>> {
        let mut open = self.lock();
        while open.jobs_left > 0 {
            let missing = |split: &&Arc<SplitFile>| split.missing_bytes();
            let helpable = open.files.iter().filter(|split| split.wants_help());
            if let Some(split) = helpable.max_by_key(missing) {
                return Some(Arc::clone(split));
            }
            let wait = Duration::from_millis(100);
            (open, _) = self.changed.wait_timeout(open, wait).expect("no holder panics");
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().expect("nothing panics while the files are locked")
    }
}
