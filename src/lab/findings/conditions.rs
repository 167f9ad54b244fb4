//! The conditions of an experiment, which only the program that ran it knows.

use serde::Serialize;

/// The conditions of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// When it began, formatted for people.
    pub started: String,
    /// The client program and its version.
    pub client: String,
    /// The values of the servers' `Server` fields.
    pub servers: Vec<String>,
    /// The operating system and the machine's architecture.
    pub system: String,
    /// The number of processors that the program may use.
    pub processors: usize,
    /// What was done with the bodies.
    pub bodies: BodyHandling,
    /// Further conditions, each a name and a value.
    pub further: Vec<(String, String)>,
}

/// What was done with the bodies, in all runs alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyHandling {
    /// Written to files as in a download.
    #[default]
    Saved,
    /// Read, hashed and discarded.
    Discarded,
}
