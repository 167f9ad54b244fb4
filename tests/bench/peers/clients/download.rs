//! A download of many files: its lists, its directory, and whether all is there afterwards.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use rustix::fs::syncfs;
use tempfile::TempDir;

use super::super::servers::Server;
use super::cost::{self, Cost};
use super::programs::{Client, Task};

/// The files `0.txt`, `1.txt` and so on of a directory of the server.
pub(crate) struct Files {
    pub(crate) directory: &'static str,
    pub(crate) count: usize,
    /// The size of each.
    pub(crate) bytes: u64,
    pub(crate) before: Before,
}

/// What is there before a run under the names of the files.
#[derive(PartialEq)]
pub(crate) enum Before {
    Absent,
    /// Files of the same size with other content, a day old.
    Older,
}

/// Files, with the lists that name them to the clients.
pub(crate) struct Download {
    files: Files,
    connections: String,
    lists: TempDir,
}

impl Download {
    pub(crate) fn new(server: &Server, files: Files, connections: usize) -> io::Result<Self> {
        let lists = TempDir::with_prefix("peers-lists-")?;
        let url = |number| server.url(&format!("{}/{}", files.directory, name(number)));
        let urls: String = (0..files.count).map(|number| url(number) + "\n").collect();
        let entry = |url: &str| format!("url={url}\nremote-name\n");
        let curl_configuration: String = urls.lines().map(entry).collect();
        fs::write(lists.path().join("urls"), urls)?;
        fs::write(lists.path().join("curl"), curl_configuration)?;
        Ok(Self { files, connections: connections.to_string(), lists })
    }

    /// Downloads the files into a new directory within `volume`.
    ///
    /// # Errors
    ///
    /// Fails if the client fails, and if a file is missing, has another size or is the older one.
    pub(crate) fn run(&self, client: &Client, volume: &Path) -> anyhow::Result<Cost> {
        let directory = TempDir::new_in(volume)?;
        if self.files.before == Before::Older {
            self.write_older(directory.path())?;
        }
        // Nothing that was written earlier is to reach the disk during the run.
        syncfs(File::open(volume)?)?;
        let task = Task {
            connections: &self.connections,
            urls: &self.lists.path().join("urls"),
            curl_configuration: &self.lists.path().join("curl"),
        };
        let cost = cost::of(client.command(&task).current_dir(directory.path()));
        let cost = cost.with_context(|| client.name)?;
        self.verify(directory.path()).with_context(|| client.name)?;
        Ok(cost)
    }

    fn write_older(&self, directory: &Path) -> io::Result<()> {
        let content = self.older()?;
        let modified = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
        for number in 0..self.files.count {
            let path = directory.join(name(number));
            fs::write(&path, &content)?;
            File::options().write(true).open(&path)?.set_modified(modified)?;
        }
        Ok(())
    }

    fn older(&self) -> io::Result<Vec<u8>> {
        let bytes = usize::try_from(self.files.bytes).map_err(io::Error::other)?;
        Ok(vec![b'-'; bytes])
    }

    fn verify(&self, directory: &Path) -> anyhow::Result<()> {
        let Files { count, bytes, ref before, .. } = self.files;
        let found = fs::read_dir(directory)?.count();
        ensure!(found == count, "{found} files instead of {count}");
        for number in 0..count {
            let name = name(number);
            let path = directory.join(&name);
            let size = path.metadata().with_context(|| name.clone())?.len();
            ensure!(size == bytes, "{name}: {size} bytes instead of {bytes}");
            let is_older = *before == Before::Older && fs::read(&path)? == self.older()?;
            ensure!(!is_older, "{name} was not replaced");
        }
        Ok(())
    }
}

fn name(number: usize) -> String {
    format!("{number}.txt")
}
