//! A regular file that was found and opened, with all that a response's head says of it.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use super::content_type::{OCTET_STREAM, content_type};

/// A file to be served. Its length and its validators are those of the moment it was opened.
#[derive(Debug)]
pub struct StaticFile {
    /// Opened for reading, at its beginning.
    pub file: File,
    /// In bytes.
    pub length: u64,
    pub modified: SystemTime,
    /// With `inode`, which file it is, whatever its name.
    pub device: u64,
    pub inode: u64,
    /// The value of `Content-Type`.
    pub content_type: Cow<'static, str>,
}

impl StaticFile {
    pub(super) fn new(file: File, metadata: &Metadata, name: &[u8]) -> io::Result<Self> {
        Ok(Self {
            length: metadata.len(),
            modified: metadata.modified()?,
            device: metadata.dev(),
            inode: metadata.ino(),
            content_type: content_type(name).unwrap_or(Cow::Borrowed(OCTET_STREAM)),
            file,
        })
    }
}
