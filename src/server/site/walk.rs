//! Resolves a path beneath a directory without `openat2`, a component at a time.
//!
//! Each component is opened without following links; links are read and resolved here. `..` returns to a
//! directory that was opened on the way down, so it cannot leave the first one. A link that is swapped in
//! between two steps results in an error.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

/// Most symbolic links in one path, as on Linux (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// Opens a directory to traverse it: on Linux with search permission alone.
#[cfg(target_os = "linux")]
pub(super) const TRAVERSE_FLAGS: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
pub(super) const TRAVERSE_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK);

/// Opens `relative` beneath `root` with `flags`.
///
/// # Errors
/// `EXDEV` if the path leaves the root or a link is absolute, `ELOOP` beyond 40 links, else the error of
/// the step that failed.
pub(super) fn walk(root: BorrowedFd<'_>, relative: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut opened: Vec<OwnedFd> = Vec::new();
    let mut remaining: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    push_components(&mut remaining, relative);
    while let Some(component) = remaining.pop() {
        match component.as_slice() {
            b"" | b"." => continue,
            b".." => {
                opened.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            _ => {}
        }
        let here = opened.last().map_or(root, AsFd::as_fd);
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
                push_components(&mut remaining, &link);
            }
            // Not a link.
            Err(Errno::INVAL) if remaining.is_empty() => return open(here, &component, flags),
            Err(Errno::INVAL) => {
                let directory = open(here, &component, TRAVERSE_FLAGS | OFlags::DIRECTORY)?;
                opened.push(directory);
            }
            Err(error) => return Err(error),
        }
    }
    open(opened.last().map_or(root, AsFd::as_fd), b".", flags)
}

/// Pushes the components of `path`, the first one on top.
fn push_components(remaining: &mut Vec<Vec<u8>>, path: &[u8]) {
    remaining.extend(path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
}

fn open(directory: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    loop {
        match fs::openat(directory, name, flags, Mode::empty()) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}
