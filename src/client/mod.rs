//! The downloader: URLs in, files out, through a bounded pool of threads over blocking sockets.
//!
//! [`plan()`] settles every URL's file name, [`OutputDirectory`] the place, and [`download`] fetches them
//! with so many threads, telling an [`Observer`] how it goes, until all are done or [`Stop`] ends it.
//! Nothing is printed here.
//!
//! The modules, each of which uses only what stands below it:
//!
//! ```text
//! pool       the workers: whose turn it is, and what is tried again
//! fetch      one attempt at one URL: request, redirects, answer, content
//! hosts      the queue, and how many connections a host bears
//! transport  a URL's server, connected: look-up, dialling, proxy, TLS
//! store      files: a part, its notes, the final name
//! results    what became of each URL: outcome, summary, JSON, HAR
//! plan       URLs in, jobs with settled names out
//! settings   how a run is done; `trust` has the certificates that are accepted
//! ```
//!
//! `error`, `stop`, `retry`, `credentials`, `zone` and `redact` are used by all of them.

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
pub use observer::{Observer, Silent};
pub use plan::checksum::{Algorithm, Checksum, ExpectedChecksum};
pub use plan::checksum_list::{ChecksumList, ChecksumListError, UnknownLine};
pub use plan::input_list::{BadLines, InputEntry, InputList, read_list};
pub use plan::job::{Job, Layout, Plan, plan};
pub use plan::job_error::{JobError, JobProblem};
pub use plan::part_name::{NOTES_SUFFIX, PART_SUFFIX};
pub use plan::text_lines::{ListError, MAX_LINE_BYTES};
pub use plan::url_name::MAX_NAME_BYTES;
pub use pool::{StartError, download};
pub use redact::{redacted_field, redacted_path, redacted_reference, redacted_text, redacted_url};
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
    NameSource, PartialFile, RampUp, SaveSettings, Settings, Timeouts,
};
pub use stop::{Stop, StopReason};
pub use store::directory::{DirectoryError, OutputDirectory};
pub use trust::{Trust, TrustError};
