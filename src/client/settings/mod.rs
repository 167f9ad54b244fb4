//! How a run is done: plain values with the defaults of the command line.

pub(super) mod proxies;
pub(super) mod request_fields;

use std::num::NonZeroUsize;
use std::time::Duration;

use super::retry::RetryPolicy;
use super::trust::Trust;
use proxies::Proxies;
use request_fields::RequestFields;

/// Most redirects that are followed for one URL, as many as browsers do (RFC 9110 §15.4).
pub const MAX_REDIRECTS: usize = 20;

/// Most codings of one content that are undone.
pub(super) const MAX_CODINGS: usize = 3;

/// How a run is done.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most fetches, and connections in use, at a time.
    pub concurrency: NonZeroUsize,
    /// Most connections to one host at a time, where that is to be fewer.
    pub per_host: Option<NonZeroUsize>,
    pub ramp_up: RampUp,
    /// Most connections for one file.
    pub split: NonZeroUsize,
    pub timeouts: Timeouts,
    pub retry: RetryPolicy,
    /// What is said to the servers.
    pub fields: RequestFields,
    pub compression: Compression,
    /// Whether a redirect may lead from `https` to `http`.
    pub downgrade: Downgrade,
    pub trust: Trust,
    pub proxies: Proxies,
    pub saving: SaveSettings,
}

/// Five connections, one for each file.
impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(5).expect("five is not zero"),
            per_host: None,
            ramp_up: RampUp::default(),
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

/// How fast connections are opened to a host of which nothing is known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RampUp {
    /// A few at first, and then as fast as others were answered, so that few are refused.
    #[default]
    Gradual,
    /// As many as are wanted: for hosts that are known to bear them.
    Immediate,
}

/// How long is waited for what. None of them is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For looking up the name, for the connection and for the TLS handshake, each.
    pub connect: Duration,
    /// For each read and write after that: so long not a byte may come.
    pub silence: Duration,
    /// For the whole run.
    pub total: Option<Duration>,
}

/// Ten seconds to connect, thirty of silence.
impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), silence: Duration::from_secs(30), total: None }
    }
}

/// Whether content codings are asked for. Those that come unasked are undone all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    #[default]
    NotAsked,
    Asked,
}

/// What becomes of a redirect from `https` to `http`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Downgrade {
    #[default]
    Refuse,
    Allow,
}

/// How files are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaveSettings {
    pub destination: Destination,
    pub existing: ExistingFile,
    pub partial: PartialFile,
    pub durability: Durability,
    pub naming: NameSource,
    pub hashing: Hashing,
}

/// What becomes of the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// A file.
    #[default]
    File,
    /// Nothing: it is received for the sake of receiving it.
    Discard,
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExistingFile {
    /// It is replaced when the new one is complete.
    #[default]
    Replace,
    /// It stays, and its URL is not fetched.
    Skip,
    /// It stays, and the new one gets a name with a number.
    Number,
}

/// What becomes of the part of a file that came before a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartialFile {
    /// It is kept, and continued where its server can prove that it still fits.
    #[default]
    Continue,
    /// It is removed.
    Discard,
}

/// When a file counts as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When the system has it.
    #[default]
    System,
    /// When the disk has it (`fsync`), so that it outlives a loss of power.
    Disk,
}

/// Who names a file for which the user chose no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameSource {
    #[default]
    Url,
    /// `Content-Disposition`, where it is there (RFC 6266).
    Server,
}

/// Whether the content is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashing {
    /// Only where a checksum is to be verified.
    #[default]
    WhenNeeded,
    /// SHA-256 of every file.
    Sha256,
}
