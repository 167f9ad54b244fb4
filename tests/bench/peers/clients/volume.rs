//! The file systems that are written to: a tmpfs, and an ext4 with a journal in a file on that tmpfs.
//!
//! Not the machine's own disk: it may be an overlay, or an ext4 without a journal, where replacing files costs
//! more. Its speed would decide about aria2c alone, which calls fsync on each file.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{statfs, statvfs};
use tempfile::TempDir;

use super::super::servers::program::{Missing, Program};

const MKFS: Program = Program { name: "mkfs.ext4", install: "apt-get install e2fsprogs" };
const MOUNT: Program = Program { name: "mount", install: "apt-get install mount" };
const UMOUNT: Program = Program { name: "umount", install: "apt-get install mount" };

const SHARED_MEMORY: &str = "/dev/shm";

/// `TMPFS_MAGIC` of statfs(2).
const TMPFS: u32 = 0x0102_1994;

/// The size of the ext4. A smaller one would get other parameters.
const EXT4_BYTES: u64 = 1 << 30;

/// More than is ever written to it, with its journal.
const EXT4_BYTES_USED: u64 = 256 << 20;

/// A directory on a file system of a known kind, removed when dropped.
pub(crate) struct Volume {
    directory: TempDir,
    /// The file system that `directory` lies in: dropped after it.
    _mounted: Option<Mounted>,
}

/// Why there is no such file system.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("{SHARED_MEMORY} is not a tmpfs")]
    NotTmpfs,
    #[error("{SHARED_MEMORY} has {free} MiB left, and {needed} MiB are needed")]
    NoRoom { free: u64, needed: u64 },
    #[error("{SHARED_MEMORY} has {free} inodes left, and {needed} are needed")]
    NoInodes { free: u64, needed: u64 },
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("cannot mount an ext4 (are you root?): {message}")]
    Refused { message: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Volume {
    /// A directory in shared memory, if that is a tmpfs and has room.
    pub(crate) fn tmpfs(bytes: u64, files: usize) -> Result<Self, Unavailable> {
        let kind = statfs(SHARED_MEMORY).map_err(io::Error::from)?.f_type;
        if u32::try_from(kind) != Ok(TMPFS) {
            return Err(Unavailable::NotTmpfs);
        }
        let room = statvfs(SHARED_MEMORY).map_err(io::Error::from)?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        if free < bytes {
            return Err(Unavailable::NoRoom { free: free >> 20, needed: bytes >> 20 });
        }
        let (free, needed) = (room.f_favail, files as u64);
        let has_inode_limit = room.f_files > 0;
        if has_inode_limit && free < needed {
            return Err(Unavailable::NoInodes { free, needed });
        }
        let directory = TempDir::with_prefix_in("peers-", SHARED_MEMORY)?;
        Ok(Self { directory, _mounted: None })
    }

    /// A directory in an ext4 with a journal, made for it, if this process may mount one.
    pub(crate) fn ext4() -> Result<Self, Unavailable> {
        let mounted = Mounted::new()?;
        let directory = TempDir::with_prefix_in("peers-", mounted.point.path())?;
        Ok(Self { directory, _mounted: Some(mounted) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// A mounted file system, unmounted when dropped.
struct Mounted {
    point: TempDir,
    /// Where the file is that holds the file system.
    _holder: Box<Volume>,
}

impl Mounted {
    fn new() -> Result<Self, Unavailable> {
        let holder = Volume::tmpfs(EXT4_BYTES_USED, 1)?;
        let image = holder.path().join("ext4");
        File::create(&image)?.set_len(EXT4_BYTES)?;
        let mut mkfs = Command::new(MKFS.find()?);
        // All is initialized now, rather than by the kernel while something is measured.
        mkfs.args(["-q", "-F", "-b", "4096", "-O", "has_journal"]);
        mkfs.args(["-E", "lazy_itable_init=0,lazy_journal_init=0"]);
        run(mkfs.arg(&image))?;
        let point = TempDir::with_prefix("peers-mount-")?;
        let mut mount = Command::new(MOUNT.find()?);
        mount.args(["-t", "ext4", "-o", "loop"]).arg(&image).arg(point.path());
        run(&mut mount)?;
        Ok(Self { point, _holder: Box::new(holder) })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmount = |options: &[&str]| {
            run(Command::new(UMOUNT.find()?).args(options).arg(self.point.path()))
        };
        // Lazily where a process still uses it, such as one that scans new file systems.
        if let Err(error) = unmount(&[]).or_else(|_| unmount(&["--lazy"])) {
            eprintln!("{} is still mounted: {error}", self.point.path().display());
        }
    }
}

/// Runs a command to its end. What it printed first says why it failed.
fn run(command: &mut Command) -> Result<(), Unavailable> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Unavailable::Refused { message: errors.lines().next().unwrap_or_default().to_owned() })
}
