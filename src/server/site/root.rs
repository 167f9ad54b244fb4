//! The root directory, and opening files beneath it.
//!
//! Confines every path to the root, even while symbolic links change: the resolution itself cannot leave
//! it. Linux does this in `openat2`. On other systems, or where that call always fails (an older kernel, a
//! sandbox), [`walk`](super::walk) does the same in several calls.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self, AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::file_state::{self, FileState};
use super::settings::SymbolicLinks;
use super::walk::{TRAVERSE_FLAGS, walk};

/// Opens for reading; does not wait for the writer of a FIFO, and acquires no controlling terminal.
pub(super) const READ_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// How often a resolution that raced with a rename is retried.
#[cfg(target_os = "linux")]
const MAX_RETRIES: usize = 4;

/// How many roots have been opened.
static OPENED_ROOTS: AtomicU64 = AtomicU64::new(0);

/// The directory beneath which all served files are.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    id: FileId,
    number: u64,
    resolution: Resolution,
}

/// Device and inode. On local file systems no other file has them while this one is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// How paths are kept beneath the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// In one call: `openat2` with `RESOLVE_BENEATH`.
    #[cfg(target_os = "linux")]
    Kernel,
    /// A component at a time, because `openat2` is missing or failed with this error.
    Walk { openat2_error: Option<Errno> },
    /// Not at all: symbolic links are followed anywhere.
    Unconfined,
}

impl Root {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// The path is not a directory, or it cannot be opened, or nothing beneath it can.
    pub(super) fn open(path: &Path, links: SymbolicLinks) -> io::Result<Self> {
        let directory = fs::open(path, READ_FLAGS | OFlags::DIRECTORY, Mode::empty())?;
        let id = FileId::of(&fs::fstat(&directory)?);
        let resolution = match links {
            SymbolicLinks::Confined => confined(directory.as_fd())?,
            SymbolicLinks::Followed => Resolution::Unconfined,
        };
        let number = OPENED_ROOTS.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Self { directory, id, number, resolution })
    }

    /// The error of `openat2`, on a system that has it.
    pub(super) fn openat2_error(&self) -> Option<Errno> {
        match self.resolution {
            Resolution::Walk { openat2_error } => openat2_error,
            _ => None,
        }
    }

    /// Whether device and inode are those of `stat`.
    pub(super) fn is(&self, stat: &Stat) -> bool {
        self.id == FileId::of(stat)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Opens `relative` for reading; an empty path is the root itself.
    ///
    /// Follows symbolic links that stay beneath the root. Absolute links are refused even if they lead back
    /// inside, as `RESOLVE_BENEATH` does. Opening a device or a FIFO does not block.
    ///
    /// # Errors
    /// `EXDEV` if the path leaves the root, `ELOOP` beyond 40 links, else the error of `open`.
    pub(super) fn open_beneath(&self, relative: &[u8]) -> io::Result<OwnedFd> {
        Ok(self.open_with(relative, READ_FLAGS)?)
    }

    /// The metadata of `relative`, which need not be readable. Has no effect on a device or a FIFO.
    ///
    /// # Errors
    /// As [`Root::open_beneath`].
    pub(super) fn metadata_beneath(&self, relative: &[u8]) -> Result<Stat, Errno> {
        fs::fstat(self.open_with(relative, TRAVERSE_FLAGS | OFlags::CLOEXEC)?)
    }

    /// The state of the regular file at `relative`; `None` if there is none, or if it is behind a symbolic
    /// link and links are confined.
    ///
    /// Takes one call, and looks at the last component of the path alone: a link among the others is
    /// followed anywhere; see [`Root::has_link_before`].
    #[must_use]
    pub(super) fn state_of(&self, relative: &[u8]) -> Option<FileState> {
        let flags = match self.resolution {
            Resolution::Unconfined => AtFlags::empty(),
            _ => AtFlags::SYMLINK_NOFOLLOW,
        };
        file_state::stat_file(self.directory.as_fd(), relative, flags)
    }

    /// Whether a component before the last one is a symbolic link, or no directory at all, and links are
    /// confined.
    #[must_use]
    pub(super) fn has_link_before(&self, relative: &[u8]) -> bool {
        let ends = relative.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let directory = self.directory.as_fd();
        self.resolution != Resolution::Unconfined
            && ends
                .into_iter()
                .any(|(end, _)| !file_state::is_directory(directory, &relative[..end]))
    }

    /// A number that no other opened root has.
    #[must_use]
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether `relative` is a directory, readable or not; false if that cannot be determined.
    #[must_use]
    pub(super) fn has_directory(&self, relative: &[u8]) -> bool {
        self.open_with(relative, TRAVERSE_FLAGS | OFlags::DIRECTORY | OFlags::CLOEXEC).is_ok()
    }

    fn open_with(&self, relative: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let relative = if relative.is_empty() { b"." } else { relative };
        let directory = self.directory.as_fd();
        match self.resolution {
            #[cfg(target_os = "linux")]
            Resolution::Kernel => openat2(directory, relative, flags),
            Resolution::Walk { .. } => walk(directory, relative, flags),
            Resolution::Unconfined => {
                fs::openat(directory, OsStr::from_bytes(relative), flags, Mode::empty())
            }
        }
    }
}

/// Tries `openat2`, which older kernels lack and sandboxes deny with `EPERM`, `ENOSYS`, `EACCES` or another
/// error, and else the walk. If both fail, nothing beneath the directory can be opened.
fn confined(directory: BorrowedFd<'_>) -> Result<Resolution, Errno> {
    #[cfg(target_os = "linux")]
    let openat2_error = match openat2(directory, b".", READ_FLAGS) {
        Ok(_) => return Ok(Resolution::Kernel),
        Err(error) => Some(error),
    };
    #[cfg(not(target_os = "linux"))]
    let openat2_error = None;
    walk(directory, b".", READ_FLAGS)?;
    Ok(Resolution::Walk { openat2_error })
}

#[cfg(target_os = "linux")]
fn openat2(directory: BorrowedFd<'_>, relative: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut retries = 0;
    loop {
        match fs::openat2(directory, relative, flags, Mode::empty(), resolve) {
            // `..` in a link raced with a rename, and the kernel cannot rule out an escape.
            Err(Errno::AGAIN) if retries < MAX_RETRIES => retries += 1,
            Err(Errno::INTR) => {}
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A tree with links of all kinds, and a secret beside the root.
    fn tree() -> TempDir {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path().join("root");
        create_dir_all(root.join("a/b")).unwrap();
        create_dir_all(root.join("c")).unwrap();
        write(tree.path().join("secret"), "secret").unwrap();
        write(root.join("top"), "top").unwrap();
        write(root.join("a/b/deep"), "deep").unwrap();
        let absolute = root.join("top");
        for (link, target) in [
            ("to-top", "top"),
            ("to-dir", "a/b"),
            ("to-dir-slash", "a/b/"),
            ("to-file-slash", "top/"),
            ("a/b/up", "../../top"),
            ("a/b/round", ".././../c/./../a//b/deep"),
            ("c/first", "../second"),
            ("second", "a/b/up"),
            ("out", "../secret"),
            ("a/b/out", "../../../secret"),
            ("out-and-in", "../root/top"),
            ("to-parent", ".."),
            ("to-self", "."),
            ("absolute", "/etc/passwd"),
            ("absolute-inside", absolute.to_str().unwrap()),
            ("magic", "/proc/self/root"),
            ("dangling", "nothing"),
            ("loop", "loop"),
            ("ping", "pong"),
            ("pong", "ping"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        fs::mkfifoat(fs::CWD, root.join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        symlink("top", root.join("chain0")).unwrap();
        for link in 1..=40 {
            symlink(format!("chain{}", link - 1), root.join(format!("chain{link}"))).unwrap();
        }
        tree
    }

    /// Roots with both ways of confinement.
    fn roots(path: &Path) -> Vec<Root> {
        let kernel = Root::open(path, SymbolicLinks::Confined).unwrap();
        let walk = Root {
            resolution: Resolution::Walk { openat2_error: None },
            ..Root::open(path, SymbolicLinks::Confined).unwrap()
        };
        vec![kernel, walk]
    }

    fn read(root: &Root, relative: &str) -> Result<String, Errno> {
        let opened = root.open_beneath(relative.as_bytes());
        let opened = opened.map_err(|error| Errno::from_io_error(&error).unwrap())?;
        let mut content = String::new();
        match std::fs::File::from(opened).read_to_string(&mut content) {
            Ok(_) => Ok(content),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok("directory".to_owned()),
            Err(error) => panic!("{relative}: {error}"),
        }
    }

    #[test]
    fn links_are_followed_beneath_the_root_and_not_out_of_it() {
        let tree = tree();
        for root in roots(&tree.path().join("root")) {
            for (relative, expected) in [
                ("", Ok("directory")),
                ("top", Ok("top")),
                ("a", Ok("directory")),
                ("a/b/deep", Ok("deep")),
                ("to-top", Ok("top")),
                ("to-dir", Ok("directory")),
                ("to-dir/deep", Ok("deep")),
                ("to-dir-slash/deep", Ok("deep")),
                ("to-dir/up", Ok("top")),
                ("a/b/round", Ok("deep")),
                ("c/first", Ok("top")),
                ("to-self/to-self/top", Ok("top")),
                ("chain39", Ok("top")),
                ("chain40", Err(Errno::LOOP)),
                ("loop", Err(Errno::LOOP)),
                ("ping", Err(Errno::LOOP)),
                ("out", Err(Errno::XDEV)),
                ("a/b/out", Err(Errno::XDEV)),
                ("out-and-in", Err(Errno::XDEV)),
                ("to-parent", Err(Errno::XDEV)),
                ("to-parent/secret", Err(Errno::XDEV)),
                ("to-parent/root/top", Err(Errno::XDEV)),
                ("absolute", Err(Errno::XDEV)),
                ("absolute-inside", Err(Errno::XDEV)),
                ("magic/etc/passwd", Err(Errno::XDEV)),
                ("dangling", Err(Errno::NOENT)),
                ("nothing", Err(Errno::NOENT)),
                ("nothing/top", Err(Errno::NOENT)),
                ("top/", Err(Errno::NOTDIR)),
                ("top/deeper", Err(Errno::NOTDIR)),
                ("to-file-slash", Err(Errno::NOTDIR)),
                ("fifo/below", Err(Errno::NOTDIR)),
                // Paths of requests never have these; they are confined as well.
                ("..", Err(Errno::XDEV)),
                ("../secret", Err(Errno::XDEV)),
                ("a/../../secret", Err(Errno::XDEV)),
                ("a/../top", Ok("top")),
            ] {
                let expected = expected.map(str::to_owned);
                assert_eq!(read(&root, relative), expected, "{relative}, {:?}", root.resolution);
            }
            let long = "n".repeat(256);
            assert_eq!(read(&root, &long), Err(Errno::NAMETOOLONG), "{:?}", root.resolution);
        }
    }

    #[test]
    fn links_lead_out_where_that_is_asked_for() {
        let tree = tree();
        let root = Root::open(&tree.path().join("root"), SymbolicLinks::Followed).unwrap();
        for (relative, content) in
            [("out", "secret"), ("a/b/out", "secret"), ("absolute-inside", "top"), ("top", "top")]
        {
            assert_eq!(read(&root, relative).as_deref(), Ok(content), "{relative}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_directory_that_may_only_be_traversed_is_traversed() {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt;

        let tree = tree();
        let root = tree.path().join("root");
        set_permissions(root.join("a"), Permissions::from_mode(0o311)).unwrap();
        for root in roots(&root) {
            assert_eq!(read(&root, "a/b/deep").as_deref(), Ok("deep"), "{:?}", root.resolution);
        }
        set_permissions(root.join("a"), Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_root_must_be_a_directory() {
        let tree = tree();
        for links in [SymbolicLinks::Confined, SymbolicLinks::Followed] {
            for (path, errno) in [("secret", Errno::NOTDIR), ("nothing", Errno::NOENT)] {
                let error = Root::open(&tree.path().join(path), links).unwrap_err();
                assert_eq!(Errno::from_io_error(&error), Some(errno), "{path} {links:?}");
            }
        }
    }
}
