//! The conditions of an experiment, as the program that ran it states them.

use serde::Serialize;

/// The conditions of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// When it started, formatted for people.
    pub started: String,
    /// The client program and its version.
    pub client: String,
    /// The values of the servers' `Server` fields.
    pub servers: Vec<String>,
    /// The operating system and the machine's architecture.
    pub system: String,
    /// The number of processors that the program may use.
    pub processors: usize,
    /// The model of the processors, if known.
    pub processor_model: Option<String>,
    /// How their frequency is chosen, if it can be (Linux's cpufreq governor).
    pub governor: Option<String>,
    /// The command line, without passwords.
    pub command: String,
    /// The most connections to one host, if the user limited them.
    pub max_per_host: Option<usize>,
    /// The proxies through which the URLs were fetched, without passwords.
    pub proxies: Vec<String>,
    /// How the bodies were handled.
    pub bodies: BodyHandling,
    /// Further conditions, each a name and a value.
    pub further: Vec<(String, String)>,
}

/// How the bodies were handled, in all runs alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyHandling {
    /// Written to files as in a download.
    #[default]
    Saved,
    /// Read, hashed and discarded.
    Discarded,
}
