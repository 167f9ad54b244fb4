//! Resolution beneath a directory without the kernel's help, for systems that lack `openat2`.
//!
//! Each component is opened on its own and never through a symbolic link; the links are read and
//! resolved here, so that a path climbs by giving back a directory that was opened on the way down and
//! cannot climb beyond the first. A link that is swapped in between two steps ends in an error.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

/// As many symbolic links as Linux follows in one path (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// A directory on the way: where the system allows it, to be passed through but not read, so that
/// search permission alone is asked for.
#[cfg(target_os = "linux")]
pub(super) const PASSING: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
pub(super) const PASSING: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK);

/// Opens what `relative` names beneath `root`, with `flags`.
///
/// # Errors
/// `EXDEV` for what would leave the root, also by an absolute link; `ELOOP` beyond 40 links; else
/// what the steps say.
pub(super) fn walk(root: BorrowedFd<'_>, relative: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut way_down: Vec<OwnedFd> = Vec::new();
    let mut ahead: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    push_components(&mut ahead, relative);
    while let Some(component) = ahead.pop() {
        match component.as_slice() {
            b"" | b"." => continue,
            b".." => {
                way_down.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            _ => {}
        }
        let here = way_down.last().map_or(root, AsFd::as_fd);
        match fs::readlinkat(here, component.as_slice(), Vec::new()) {
            Ok(link) => {
                let link = link.into_bytes();
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::LOOP);
                }
                if link.starts_with(b"/") {
                    return Err(Errno::XDEV);
                }
                push_components(&mut ahead, &link);
            }
            // No link.
            Err(Errno::INVAL) if ahead.is_empty() => return open(here, &component, flags),
            Err(Errno::INVAL) => {
                let directory = open(here, &component, PASSING | OFlags::DIRECTORY)?;
                way_down.push(directory);
            }
            Err(error) => return Err(error),
        }
    }
    open(way_down.last().map_or(root, AsFd::as_fd), b".", flags)
}

/// Puts the components of `path` before what is still ahead, the first one on top.
fn push_components(ahead: &mut Vec<Vec<u8>>, path: &[u8]) {
    ahead.extend(path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
}

fn open(directory: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    loop {
        match fs::openat(directory, name, flags, Mode::empty()) {
            Err(Errno::INTR) => {}
            opened => return opened,
        }
    }
}
