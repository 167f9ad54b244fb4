//! A regular file that was found, opened or in memory, with the properties that the head of a response needs.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use super::content_type;
use super::content_type::{OCTET_STREAM, has_charset, media_type, with_utf8};
use super::file_state::FileState;
use super::sniff::Sample;
use crate::http::conditional::Validators;
use crate::http::{Coding, FieldLines, FileTag, FileVersion, date};

/// A file to be served. Length and validators are those at the time of opening, also if it was opened for an
/// earlier request and has not changed.
#[derive(Debug)]
pub(crate) struct StaticFile {
    pub(crate) content: FileContent,
    pub(crate) description: Arc<FileDescription>,
}

/// A file with its path beneath the root, by which its precompressed files are found.
#[derive(Debug)]
pub(crate) struct NamedFile<'n> {
    pub(crate) file: StaticFile,
    pub(crate) path: Cow<'n, [u8]>,
}

/// The content of a file.
#[derive(Debug)]
pub(crate) enum FileContent {
    /// Opened for reading, at its beginning.
    Opened(File),
    /// In memory, whole.
    Loaded(Arc<[u8]>),
}

/// What a response says about a file: the same for all requests while the file does not change.
#[derive(Debug)]
pub(crate) struct FileDescription {
    pub(super) version: FileVersion,
    /// The value of `Content-Type`; a precompressed file has that of its plain file.
    pub(crate) content_type: Cow<'static, str>,
    /// The content coding: by the name (`drawing.svgz`), or that of a precompressed file.
    pub(super) coding: Coding,
    tag: FileTag,
    last_modified: SystemTime,
    /// The lines of `Last-Modified` and `ETag`.
    pub(crate) validator_lines: FieldLines,
}

impl FileDescription {
    /// Describes a file; `now` is at or after the time at which it was opened.
    pub(super) fn new(
        version: FileVersion,
        content_type: Cow<'static, str>,
        coding: Coding,
        now: SystemTime,
    ) -> Self {
        let tag = FileTag::new(version, coding);
        // `Last-Modified` must not be in the future (RFC 9110 §8.8.2.1).
        let last_modified = version.modified.min(now);
        let mut validator_lines = FieldLines::default();
        if let Some(date) = date::format(last_modified) {
            validator_lines.push("Last-Modified", date.to_string());
        }
        validator_lines.push("ETag", tag.text());
        Self { version, content_type, coding, tag, last_modified, validator_lines }
    }

    /// In bytes.
    pub(crate) fn length(&self) -> u64 {
        self.version.size
    }

    /// The value of `Content-Encoding`, if the file is coded.
    pub(crate) fn content_encoding(&self) -> Option<&'static str> {
        (self.coding != Coding::Identity).then(|| self.coding.token())
    }

    /// When the content was last modified.
    pub(super) fn modified(&self) -> SystemTime {
        self.version.modified
    }

    pub(crate) fn validators(&self) -> Validators<'_> {
        Validators { etag: Some(self.tag.tag()), last_modified: Some(self.last_modified) }
    }
}

impl StaticFile {
    /// A file to be read while it is sent. A file of length 0 is not read: files in `/proc` have content,
    /// and reading some of them changes it.
    pub(super) fn opened(file: File, metadata: &Metadata, name: &[u8]) -> io::Result<Self> {
        let sample = || match metadata.len() {
            0 => Ok(Sample::default()),
            _ => Sample::read(&file),
        };
        let content_type = content_type_of(name, sample)?;
        let version = FileState::of(metadata).version;
        let coding = content_type::coding(name);
        let description = FileDescription::new(version, content_type, coding, SystemTime::now());
        Ok(Self::new(FileContent::Opened(file), Arc::new(description)))
    }

    pub(super) fn new(content: FileContent, description: Arc<FileDescription>) -> Self {
        Self { content, description }
    }

    /// The same file as a precompressed form of `plain`.
    pub(super) fn precompressed(self, plain: &Self, coding: Coding) -> Self {
        let content_type = plain.description.content_type.clone();
        let version = self.description.version;
        let description = FileDescription::new(version, content_type, coding, SystemTime::now());
        Self { content: self.content, description: Arc::new(description) }
    }
}

#[cfg(test)]
impl StaticFile {
    /// The whole content.
    pub(super) fn read(self) -> Vec<u8> {
        match self.content {
            FileContent::Opened(mut file) => {
                let mut content = Vec::new();
                io::Read::read_to_end(&mut file, &mut content).unwrap();
                content
            }
            FileContent::Loaded(content) => content.to_vec(),
        }
    }
}

/// The value of `Content-Type` by the name, or, if the extension is unknown, by the content. The content
/// also decides whether text is declared as UTF-8; else a page's own `<meta charset>` applies.
pub(super) fn content_type_of<'c>(
    name: &[u8],
    sample: impl Fn() -> io::Result<Sample<'c>>,
) -> io::Result<Cow<'static, str>> {
    Ok(match media_type(name) {
        Some(text) if has_charset(text) && sample()?.is_utf8() => with_utf8(text),
        Some(media_type) => Cow::Borrowed(media_type),
        None if sample()?.is_text() => with_utf8("text/plain"),
        None => Cow::Borrowed(OCTET_STREAM),
    })
}
