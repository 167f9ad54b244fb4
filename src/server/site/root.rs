//! The served directory, and opening what lies beneath it.
//!
//! Owns the confinement: whatever path comes, and whatever symbolic links change meanwhile, what is
//! opened lies beneath the root, because the resolution itself cannot leave it. Linux does that in
//! `openat2`; elsewhere, or where that call fails whatever it is asked for (an older kernel, a sandbox),
//! [`walk`](super::walk) does the same in many steps. Whether a server starts without the call, what was opened, and whether
//! that is served, is left to the rest of the site.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::settings::SymbolicLinks;
use super::walk::{PASSING, walk};

/// For reading; never waiting for the other end of a FIFO, never making a terminal ours.
pub(super) const READING: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// How often a resolution that raced with a rename is begun again before the error is passed on.
#[cfg(target_os = "linux")]
const RACES: usize = 4;

/// The directory beneath which everything that is served lies.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    /// Device and inode. On local file systems no other directory has them while this one is open.
    identity: (u64, u64),
    resolution: Resolution,
}

/// Who keeps a path beneath the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// The kernel, in one call: `openat2` with `RESOLVE_BENEATH`.
    #[cfg(target_os = "linux")]
    Kernel,
    /// The portable walk, a component at a time, and why the kernel does not do it.
    Walk { because: Option<Errno> },
    /// Nobody: symbolic links lead where they lead.
    Unconfined,
}

impl Root {
    /// Opens the directory that is to be served.
    ///
    /// # Errors
    /// The path is no directory, or cannot be opened, or nothing beneath it can.
    pub(super) fn open(path: &Path, links: SymbolicLinks) -> io::Result<Self> {
        let directory = fs::open(path, READING | OFlags::DIRECTORY, Mode::empty())?;
        let identity = identity(&fs::fstat(&directory)?);
        let resolution = match links {
            SymbolicLinks::Confined => confined(directory.as_fd())?,
            SymbolicLinks::Followed => Resolution::Unconfined,
        };
        Ok(Self { directory, identity, resolution })
    }

    /// Why the kernel does not resolve paths, though it could in another version or outside of a sandbox.
    pub(super) fn kernels_refusal(&self) -> Option<Errno> {
        match self.resolution {
            Resolution::Walk { because } => because,
            _ => None,
        }
    }

    /// Whether this is the metadata of the same directory, as far as device and inode tell.
    pub(super) fn is(&self, stat: &Stat) -> bool {
        self.identity == identity(stat)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Opens for reading what `relative` names; empty for the root itself.
    ///
    /// A symbolic link is followed while it stays beneath the root. One that is absolute is refused
    /// even if it points back inside, as `RESOLVE_BENEATH` does. A device's or a FIFO's `open` does
    /// not wait.
    ///
    /// # Errors
    /// `EXDEV` for what would leave the root, `ELOOP` beyond 40 links, else what `open` says.
    pub(super) fn open_beneath(&self, relative: &[u8]) -> io::Result<OwnedFd> {
        Ok(self.open_with(relative, READING)?)
    }

    /// The metadata of what `relative` names, which need not be readable. Nothing is opened to be used: a
    /// device or a FIFO does not notice.
    ///
    /// # Errors
    /// As [`Root::open_beneath`].
    pub(super) fn metadata_beneath(&self, relative: &[u8]) -> Result<Stat, Errno> {
        fs::fstat(self.open_with(relative, PASSING | OFlags::CLOEXEC)?)
    }

    /// Whether `relative` is a directory, be it one that may not be read; as far as that can be known.
    #[must_use]
    pub(super) fn has_directory(&self, relative: &[u8]) -> bool {
        self.open_with(relative, PASSING | OFlags::DIRECTORY | OFlags::CLOEXEC).is_ok()
    }

    fn open_with(&self, relative: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let relative = if relative.is_empty() { b"." } else { relative };
        let directory = self.directory.as_fd();
        match self.resolution {
            #[cfg(target_os = "linux")]
            Resolution::Kernel => open_in_kernel(directory, relative, flags),
            Resolution::Walk { .. } => walk(directory, relative, flags),
            Resolution::Unconfined => {
                fs::openat(directory, OsStr::from_bytes(relative), flags, Mode::empty())
            }
        }
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// What this system can do, tried out: older kernels lack `openat2`, and sandboxes answer it with `EPERM`,
/// `ENOSYS`, `EACCES` or whatever else they are told to. If the walk fails as well, it is the directory
/// beneath which nothing can be opened, and nothing could be served.
fn confined(directory: BorrowedFd<'_>) -> Result<Resolution, Errno> {
    #[cfg(target_os = "linux")]
    let because = match open_in_kernel(directory, b".", READING) {
        Ok(_) => return Ok(Resolution::Kernel),
        Err(error) => Some(error),
    };
    #[cfg(not(target_os = "linux"))]
    let because = None;
    walk(directory, b".", READING)?;
    Ok(Resolution::Walk { because })
}

#[cfg(target_os = "linux")]
fn open_in_kernel(
    directory: BorrowedFd<'_>,
    relative: &[u8],
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut races = 0;
    loop {
        match fs::openat2(directory, relative, flags, Mode::empty(), resolve) {
            // The kernel cannot rule out that `..` in a link climbed out during a rename.
            Err(Errno::AGAIN) if races < RACES => races += 1,
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

    /// A tree with links of all kinds, beside a secret that is not to be reached.
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
        symlink("top", root.join("chain0")).unwrap();
        for link in 1..=40 {
            symlink(format!("chain{}", link - 1), root.join(format!("chain{link}"))).unwrap();
        }
        tree
    }

    /// Both ways of staying beneath the root.
    fn roots(path: &Path) -> Vec<Root> {
        let kernel = Root::open(path, SymbolicLinks::Confined).unwrap();
        let walk = Root {
            resolution: Resolution::Walk { because: None },
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
                // No request's path has these, and none of them would lead out.
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
    fn a_directory_that_may_only_be_passed_through_is_passed_through() {
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
    fn what_is_no_directory_is_no_root() {
        let tree = tree();
        for (path, errno) in [("secret", Errno::NOTDIR), ("nothing", Errno::NOENT)] {
            let error = Root::open(&tree.path().join(path), SymbolicLinks::Confined).unwrap_err();
            assert_eq!(Errno::from_io_error(&error), Some(errno), "{path}");
        }
    }
}
