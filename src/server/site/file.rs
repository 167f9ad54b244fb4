//! A regular file that was found and opened, with the properties that the head of a response needs.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use super::content_type;
use super::content_type::{OCTET_STREAM, has_charset, media_type, with_utf8};
use super::sniff::Sample;
use crate::http::Coding;

/// A file to be served. Length and validators are those at the time of opening.
#[derive(Debug)]
pub(crate) struct StaticFile {
    /// Opened for reading, at its beginning.
    pub file: File,
    /// In bytes.
    pub length: u64,
    /// When the content was last modified.
    pub modified: SystemTime,
    /// When content or metadata last changed (`st_ctim`), which programs cannot set.
    pub changed: SystemTime,
    /// Identifies the file within its file system.
    pub inode: u64,
    /// The value of `Content-Type`; a precompressed file has that of its plain file.
    pub content_type: Cow<'static, str>,
    /// The content coding: by the name (`drawing.svgz`), or that of a precompressed file.
    pub coding: Coding,
    /// Its index in [`SiteSettings::index`](super::settings::SiteSettings::index), if it is an index file.
    pub(super) index: Option<usize>,
}

impl StaticFile {
    /// Takes the type from `name`, or, if the extension is unknown, from the content. The content also
    /// decides whether text is declared as UTF-8; else a page's own `<meta charset>` applies. A file of
    /// length 0 is not read: files in `/proc` have content, and reading some of them changes it.
    pub(super) fn new(file: File, metadata: &Metadata, name: &[u8]) -> io::Result<Self> {
        let sample = || match metadata.len() {
            0 => Ok(Sample::default()),
            _ => Sample::read(&file),
        };
        let content_type = match media_type(name) {
            Some(text) if has_charset(text) && sample()?.is_utf8() => with_utf8(text),
            Some(media_type) => Cow::Borrowed(media_type),
            None if sample()?.is_text() => with_utf8("text/plain"),
            None => Cow::Borrowed(OCTET_STREAM),
        };
        Ok(Self {
            length: metadata.len(),
            modified: metadata.modified()?,
            changed: changed(metadata),
            inode: metadata.ino(),
            content_type,
            coding: content_type::coding(name),
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
