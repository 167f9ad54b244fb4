//! The settings of a run, with the defaults of the command line.

pub(super) mod proxies;
pub(super) mod request_fields;

use std::num::NonZeroUsize;
use std::time::Duration;

use super::retry::RetryPolicy;
use super::trust::Trust;
use proxies::Proxies;
use request_fields::RequestFields;

/// The most redirects that are followed for one URL, as in browsers (RFC 9110 §15.4).
pub const MAX_REDIRECTS: usize = 20;

/// The most codings of one content that are decoded.
pub(super) const MAX_CODINGS: usize = 3;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most concurrent fetches, and connections in use.
    pub concurrency: NonZeroUsize,
    /// The most concurrent connections to one host, if lower.
    pub per_host: Option<NonZeroUsize>,
    /// The most concurrent connections for one file.
    pub split: NonZeroUsize,
    pub timeouts: Timeouts,
    pub retry: RetryPolicy,
    /// Added to every request.
    pub fields: RequestFields,
    pub compression: Compression,
    pub downgrade: Downgrade,
    pub trust: Trust,
    pub proxies: Proxies,
    pub saving: SaveSettings,
}

/// Five connections, and one for each file.
impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(5).expect("five is not zero"),
            per_host: None,
            split: NonZeroUsize::MIN,
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            fields: RequestFields::default(),
            compression: Compression::default(),
            downgrade: Downgrade::default(),
            trust: Trust::default(),
            proxies: Proxies::default(),
            saving: SaveSettings::default(),
        }
    }
}

/// How long a run waits. None of them may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For each of the name look-up, the connection and the TLS handshake. 10 s by default.
    pub connect: Duration,
    /// For each read and write after that, in which no byte is transferred. 30 s by default.
    pub silence: Duration,
    /// For the whole run. Unlimited by default.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), silence: Duration::from_secs(30), total: None }
    }
}

/// Whether content codings are requested (`Accept-Encoding`). They are decoded in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    #[default]
    NotAsked,
    Asked,
}

/// What happens at a redirect from `https` to `http`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Downgrade {
    #[default]
    Refuse,
    Allow,
}

/// How files are saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaveSettings {
    pub destination: Destination,
    pub existing: ExistingFile,
    pub partial: PartialFile,
    pub durability: Durability,
    pub naming: NameSource,
    pub hashing: Hashing,
}

/// What happens to the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// It is saved in a file.
    #[default]
    File,
    /// It is received and discarded, for measurements.
    Discard,
}

/// What happens if the file exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExistingFile {
    /// It is replaced when the new file is complete.
    #[default]
    Replace,
    /// It is kept, and its URL is not fetched.
    Skip,
    /// It is kept, and the new file gets a numbered name.
    Number,
}

/// What happens to an incomplete file after a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartialFile {
    /// It is kept, and resumed if its server confirms that the content has not changed.
    #[default]
    Continue,
    /// It is removed.
    Discard,
}

/// When a file is reported as saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is in the system's cache.
    #[default]
    System,
    /// When it is on the disk (fsync(2)), so that it survives a loss of power.
    Disk,
}

/// The source of a file's name, if the user did not choose it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameSource {
    #[default]
    Url,
    /// `Content-Disposition` (RFC 6266), or else the URL.
    Server,
}

/// Which files are hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashing {
    /// Those with a checksum to verify.
    #[default]
    WhenNeeded,
    /// All, by SHA-256.
    Sha256,
}
