//! The downloader: fetches URLs into files with a bounded pool of threads over blocking sockets.
//!
//! [`plan()`] checks the URLs and reserves their file names, [`OutputDirectory`] is where the files go, and
//! [`download`] fetches them and reports its progress to an [`Observer`], until all are done or a [`Stop`]
//! ends the run. Nothing is printed here.
//!
//! The modules, each of which uses only those below it:
//!
//! ```text
//! pool          the workers, and how many the system allows
//! fetch         one attempt at one URL: request, redirects, response, content
//! hosts         the queue of jobs of each host, and how many connections the host allows
//! transport     connections: look-up, dialling, proxy, TLS
//! store         files: parts and their notes, final names, checksums
//! observer      the interface for progress
//! results       outcomes, summary, JSON, HAR
//! failure_kind  the kinds of failures
//! error         why a fetch failed
//! plan          lists of URLs and of checksums, jobs, file names
//! settings      the settings of a run, the proxies, added fields
//! trust         the certificates that are trusted
//! ```
//!
//! `credentials`, `error_chain`, `redact`, `retry`, `stop` and `zone` are below all of these.

mod credentials;
mod error;
mod error_chain;
mod failure_kind;
mod fetch;
mod hosts;
mod observer;
mod plan;
mod pool;
mod redact;
mod results;
mod retry;
mod settings;
mod stop;
mod store;
mod transport;
mod trust;
mod zone;

pub use credentials::Credentials;
pub use error::{FetchError, TimeoutPhase};
pub use error_chain::error_chain;
pub use failure_kind::FailureKind;
pub use hosts::opening::OPENING_POLICY;
pub use observer::{Observer, Silent};
pub use plan::checksum::{Algorithm, Checksum, ExpectedChecksum};
pub use plan::checksum_list::{ChecksumList, ChecksumListError, UnknownLine};
pub use plan::input_list::{BadLines, InputEntry, InputList, read_list};
pub use plan::job::{Job, Layout, Plan, plan};
pub use plan::job_error::{JobError, JobProblem};
pub use plan::text_lines::{ListError, MAX_LINE_BYTES};
pub use pool::{StartError, download};
pub use redact::{redacted_field, redacted_path, redacted_reference, redacted_url};
pub use results::har::write_har;
pub use results::json::write_json;
pub use results::outcome::{LearntLimit, Outcome, Phases, Retrieval, Run, Saved};
pub use results::seconds::seconds;
pub use results::summary::{Percentiles, Summary};
pub use retry::RetryPolicy;
pub use settings::proxies::{Proxies, Proxy, ProxyError, ProxyProblem};
pub use settings::request_fields::{FieldError, RequestFields};
pub use settings::{
    Compression, Destination, Downgrade, Durability, ExistingFile, Hashing, MAX_REDIRECTS,
    NameSource, PartialFile, SaveSettings, Settings, Timeouts,
};
pub use stop::{Stop, StopReason};
pub use store::directory::{DirectoryError, OutputDirectory};
pub use trust::{Trust, TrustError};
