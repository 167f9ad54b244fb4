//! A program of another package: where it is, or how to install it.

use std::env;
use std::path::PathBuf;

/// A program, and the command that installs it.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) install: &'static str,
}

/// A program that is not installed.
#[derive(Debug, thiserror::Error)]
#[error("{name} is not installed: {install}")]
pub(crate) struct Missing {
    pub(crate) name: &'static str,
    pub(crate) install: &'static str,
}

impl Program {
    /// Looks in the directories of the distribution first, then in `PATH` and where Cargo installs.
    pub(crate) fn find(&self) -> Result<PathBuf, Missing> {
        let system = ["/usr/local/sbin", "/usr/sbin", "/usr/bin"].map(PathBuf::from);
        let path = env::var_os("PATH").unwrap_or_default();
        let cargo = env::home_dir().map(|home| home.join(".cargo/bin"));
        system
            .into_iter()
            .chain(env::split_paths(&path))
            .chain(cargo)
            .map(|directory| directory.join(self.name))
            .find(|path| path.is_file())
            .ok_or(Missing { name: self.name, install: self.install })
    }
}
