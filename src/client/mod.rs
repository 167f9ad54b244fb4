//! The downloader: URLs in, files out, through a bounded pool of threads over blocking sockets.
//!
//! [`plan`] settles every URL's file name, [`OutputDirectory`] the place, and [`download`] fetches them
//! with so many threads, telling an [`Observer`] how it goes, until all are done or [`Stop`] ends it.
//! Nothing is printed here.
//!
//! The way of one URL: `pool` (its turn, by `queue`, and `retry`) → `fetch` (what the answer is worth) along a `chain` of redirects →
//! `exchange` (request and answer) through the `host_gate` over a kept connection or one of `connect`
//! (`resolve`, `dial`, `proxy`, `tls`) → `part` (the file, with `part_notes` for what is left of it, at its `part_place`) →
//! `split` and `piece` for a file over several connections → `naming` (its name in the `directory`) → `outcome`.

mod address_space;
mod chain;
mod checksum;
mod checksum_list;
mod coded;
mod coding;
mod connect;
mod cookies;
mod credentials;
mod decode;
mod decoded;
mod decoder_slots;
mod descriptors;
mod dial;
mod directory;
mod discard;
mod error;
mod exchange;
mod fetch;
mod fetcher;
mod file_name;
mod har;
mod hasher;
mod host_gate;
mod host_limit;
mod input_list;
mod job;
mod job_error;
mod json;
mod names;
mod naming;
mod observer;
mod outcome;
mod part;
mod part_name;
mod part_notes;
mod part_place;
mod piece;
mod pool;
mod proxy;
mod queue;
mod request;
mod request_fields;
mod resolve;
mod retry;
mod settings;
mod shown;
mod socket;
mod split;
mod split_files;
mod stop;
mod summary;
mod text_lines;
mod tls;
mod tls_error;
mod trust;
mod verifier;
mod worth;
mod zone;

pub use checksum::{Algorithm, Checksum, Expected};
pub use checksum_list::{ChecksumList, ChecksumListError};
pub use credentials::Credentials;
pub use directory::{DirectoryError, OutputDirectory};
pub use error::{Cause, FetchError, Phase};
pub use file_name::MAX_NAME_BYTES;
pub use har::write_har;
pub use input_list::{BadLines, InputList, Wanted, read_list};
pub use job::{Job, Layout, Plan, plan};
pub use job_error::{JobError, JobProblem};
pub use json::write_json;
pub use observer::{Observer, Silent};
pub use outcome::{Arrival, LearntLimit, Outcome, Phases, Run, Saved};
pub use part_name::{NOTES_SUFFIX, PART_SUFFIX};
pub use pool::{StartError, download};
pub use proxy::{Proxies, Proxy, ProxyError, ProxyProblem};
pub use request_fields::{FieldError, RequestFields};
pub use retry::RetryPolicy;
pub use settings::{
    Compression, Content, Digest, Downgrade, Durability, Existing, MAX_REDIRECTS, Naming, Opening,
    Partial, Saving, Settings, Timeouts,
};
pub use shown::{shown_field, shown_path, shown_reference, shown_text, shown_url};
pub use stop::{Stop, StopReason};
pub use summary::{Spread, Summary};
pub use text_lines::{ListError, MAX_LINE_BYTES};
pub use trust::{Trust, TrustError};
