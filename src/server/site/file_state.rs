//! The state of a file on its file system, by which a change is noticed.

use std::fs::{File, Metadata};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, FileType};
#[cfg(target_os = "linux")]
use rustix::fs::{StatxFlags, StatxTimestamp};

use crate::http::FileVersion;

/// Device, inode, size and times of a file. Two equal states are of the same file with the same content,
/// unless it changed twice within one step of the file system's clock; see [`FileState::is_settled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileState {
    pub(super) device: u64,
    pub(super) version: FileVersion,
}

/// The longest step of a file system's clock, with a margin: ext2 and ext3 record whole seconds, others those
/// of the kernel's timer, up to 10 ms.
const CLOCK_STEP: Duration = Duration::from_secs(2);

impl FileState {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            version: FileVersion {
                inode: metadata.ino(),
                size: metadata.size(),
                modified: time(metadata.mtime(), metadata.mtime_nsec().unsigned_abs()),
                changed: time(metadata.ctime(), metadata.ctime_nsec().unsigned_abs()),
            },
        }
    }

    /// Whether each change after `now` changes the state: the last one was a step of the clock or more
    /// before. Git calls the other files "racily clean".
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let is_past = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age > CLOCK_STEP);
        is_past(self.version.changed) && is_past(self.version.modified)
    }
}

/// The state of the regular file at `path` in `directory`; `None` for anything else.
///
/// Asks a network file system for the present state, as opening does there; plain `stat` may answer from
/// the attributes of some seconds before (statx(2), `AT_STATX_FORCE_SYNC`).
#[cfg(target_os = "linux")]
pub(super) fn stat_file(
    directory: BorrowedFd<'_>,
    path: &[u8],
    flags: AtFlags,
) -> Option<FileState> {
    let flags = flags | AtFlags::STATX_FORCE_SYNC;
    let stat = fs::statx(directory, path, flags, StatxFlags::BASIC_STATS).ok()?;
    let is_file = FileType::from_raw_mode(stat.stx_mode.into()) == FileType::RegularFile;
    let moment = |stamp: StatxTimestamp| time(stamp.tv_sec, stamp.tv_nsec.into());
    is_file.then(|| FileState {
        device: fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
        version: FileVersion {
            inode: stat.stx_ino,
            size: stat.stx_size,
            modified: moment(stat.stx_mtime),
            changed: moment(stat.stx_ctime),
        },
    })
}

/// Other systems have no such call, and the cache stays empty.
#[cfg(not(target_os = "linux"))]
pub(super) fn stat_file(_: BorrowedFd<'_>, _: &[u8], _: AtFlags) -> Option<FileState> {
    None
}

/// Whether this machine's clock sets the times of the file: it is on a known local file system.
#[cfg(target_os = "linux")]
pub(super) fn has_local_clock(file: &File) -> bool {
    /// The numbers of file systems (statfs(2)): ext2 to ext4, XFS, Btrfs, F2FS, ZFS, Bcachefs, tmpfs, ramfs,
    /// and overlayfs.
    const LOCAL: [u32; 9] = [
        0x0000_ef53,
        0x5846_5342,
        0x9123_683e,
        0xf2f5_2010,
        0x2fc1_2fc1,
        0xca45_1a4e,
        0x0102_1994,
        0x8584_58f6,
        0x794c_7630,
    ];
    // The number has 32 bits; wider types may extend its sign.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    fs::fstatfs(file).is_ok_and(|system| LOCAL.contains(&(system.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn has_local_clock(_: &File) -> bool {
    false
}

/// Whether `path` in `directory` is a directory and not a symbolic link to one.
pub(super) fn is_directory(directory: BorrowedFd<'_>, path: &[u8]) -> bool {
    fs::statat(directory, path, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// The time so many seconds after 1970, or before it; 1970 if that cannot be expressed.
pub(super) fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let second = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    second
        .and_then(|second| second.checked_add(Duration::from_nanos(nanoseconds)))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
