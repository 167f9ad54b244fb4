//! A cause that limits the speedup, with its sentence.

use serde::Serialize;

/// What limits the speedup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BottleneckKind {
    /// There is only one URL.
    OneUrl,
    /// Connections were lost on opening, as by a listen queue that is full.
    ListenQueue,
    /// The host rejects requests for their number in a time.
    RequestRate,
    /// The host refuses further connections.
    HostLimit,
    /// The user's limit of connections to one host.
    MaxPerHost,
    /// The order of the files: the longest would have to start earlier.
    FileOrder,
    /// The number of files: each had a connection of its own.
    FileCount,
    /// One long file.
    LongestFile,
    /// The number of connections: more may be faster.
    Connections,
    /// The whole workload takes too little time.
    TooSmall,
    /// The processors of this machine, with the work for the fetches.
    Processor,
    /// The processors of this machine, with other work.
    OtherLoad,
    /// Waiting for a connection or a retry.
    Waiting,
    /// Name resolution, connecting and TLS.
    Connecting,
    /// The link, or the server's output to it.
    Link,
    /// The server's response time.
    Server,
    /// The response time of a server behind a proxy, or of the proxy.
    ProxyOrServer,
    /// Writing the files.
    Disk,
    /// The time until all connections were in use.
    Opening,
    /// None of these dominates.
    Unclear,
}

/// What limits the speedup, and a sentence that explains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bottleneck {
    #[serde(rename = "cause")]
    pub kind: BottleneckKind,
    pub sentence: String,
}

impl Bottleneck {
    pub(super) fn new(kind: BottleneckKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into() }
    }
}
