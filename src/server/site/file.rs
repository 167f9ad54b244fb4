//! A regular file that was found and opened, with all that a response's head says of it.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use super::content_type::{OCTET_STREAM, has_charset, in_utf8, media_type, own_coding};
use super::sniff::Beginning;
use crate::http::Coding;

/// A file to be served. Its length and its validators are those of the moment it was opened.
#[derive(Debug)]
pub(in crate::server) struct StaticFile {
    /// Opened for reading, at its beginning.
    pub file: File,
    /// In bytes.
    pub length: u64,
    /// When the content was last modified.
    pub modified: SystemTime,
    /// When the content or the metadata was last changed, which no program can set.
    pub changed: SystemTime,
    /// Which file of its file system it is, whatever its name.
    pub inode: u64,
    /// The value of `Content-Type`; a twin has that of its plain file.
    pub content_type: Cow<'static, str>,
    /// How the content is coded: by its name (`drawing.svgz`), or because it stands for its plain file.
    pub coding: Coding,
    /// Which of the site's index files it is.
    pub(super) index: Option<usize>,
}

impl StaticFile {
    /// The type comes from `name`, or, where that does not tell, from a look at the content, which also
    /// tells whether text is UTF-8: if not, a page's own `<meta charset>` counts. A file that is said to
    /// be empty is not looked into: those of `/proc` have content, and reading some changes it.
    pub(super) fn new(file: File, metadata: &Metadata, name: &[u8]) -> io::Result<Self> {
        let look = || match metadata.len() {
            0 => Ok(Beginning::default()),
            _ => Beginning::of(&file),
        };
        let content_type = match media_type(name) {
            Some(text) if has_charset(text) && look()?.is_utf8() => in_utf8(text),
            Some(media_type) => Cow::Borrowed(media_type),
            None if look()?.is_text() => in_utf8("text/plain"),
            None => Cow::Borrowed(OCTET_STREAM),
        };
        Ok(Self {
            length: metadata.len(),
            modified: metadata.modified()?,
            changed: changed(metadata),
            inode: metadata.ino(),
            content_type,
            coding: own_coding(name),
            index: None,
            file,
        })
    }
}

/// The time of the last change (stat(2), `st_ctim`).
fn changed(metadata: &Metadata) -> SystemTime {
    let whole = Duration::from_secs(metadata.ctime().unsigned_abs());
    let part = Duration::from_nanos(metadata.ctime_nsec().unsigned_abs());
    let second = if metadata.ctime() < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    second.and_then(|second| second.checked_add(part)).unwrap_or(SystemTime::UNIX_EPOCH)
}
