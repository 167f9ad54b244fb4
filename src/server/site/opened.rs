//! Opens a path beneath the root as a file or a directory.

use std::borrow::Cow;
use std::fs::File;
use std::time::SystemTime;

use super::cache::FileCache;
use super::error::LookupError;
use super::file::StaticFile;
use super::root::Root;

/// The file or directory that a path names.
pub(super) enum Opened {
    File(StaticFile),
    Directory(File),
}

/// Opens `relative` beneath the root, or takes it from the cache. FIFOs, sockets and devices are not found.
pub(super) fn open_beneath(
    root: &Root,
    cache: &FileCache,
    relative: &[u8],
) -> Result<Opened, LookupError> {
    if let Some(file) = cache.find(root, relative) {
        return Ok(Opened::File(file));
    }
    let before = SystemTime::now();
    let file = File::from(root.open_beneath(relative)?);
    let metadata = file.metadata()?;
    if metadata.is_file() {
        if let Some(file) = cache.load(root, relative, &file, &metadata, before) {
            return Ok(Opened::File(file));
        }
        let name = relative.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        Ok(Opened::File(StaticFile::opened(file, &metadata, name)?))
    } else if metadata.is_dir() {
        Ok(Opened::Directory(file))
    } else {
        Err(LookupError::NotFound)
    }
}

/// The path of `name` in the directory `relative`.
pub(super) fn join<'n>(relative: &[u8], name: &'n [u8]) -> Cow<'n, [u8]> {
    if relative.is_empty() { Cow::Borrowed(name) } else { [relative, name].join(&b'/').into() }
}
