//! The downloader: URLs in, files out, through a bounded pool of threads over blocking sockets.
//!
//! [`plan`] settles every URL's file name, [`OutputDirectory`] the place, and [`download`] fetches them
//! with so many threads, telling an [`Observer`] how it goes. Nothing is printed here. The way of one
//! URL: `pool` (its turn) → `fetch` (request, redirects, answer) over a connection of `kept` or
//! `connect` → `save` (the file) → `outcome`.

mod connect;
mod error;
mod fetch;
mod file_name;
mod job;
mod kept;
mod outcome;
mod pool;
mod resolve;
mod save;

pub use error::{FetchError, Phase};
pub use fetch::MAX_REDIRECTS;
pub use file_name::MAX_NAME_BYTES;
pub use job::{Job, JobError, JobProblem, plan};
pub use outcome::{Outcome, Phases, Run, Saved};
pub use pool::{Observer, Settings, Silent, StartError, download};
pub use save::{DirectoryError, OutputDirectory, PART_SUFFIX};
