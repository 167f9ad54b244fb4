//! What is served: a path of a request in, an opened file out.
//!
//! Owns the way from a decoded path to a representation: confinement to the root, index files,
//! listings, media types. What a path is, the request target has decided; what is sent of a file, and under which
//! conditions, is the business of whoever asked.

mod content_type;
mod error;
mod error_page;
mod file;
mod listing;
mod root;
mod root_path;
mod settings;
mod sniff;
mod twins;
mod walk;

use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

pub use content_type::{OCTET_STREAM, media_type};
pub use error::{Absence, SiteError};
pub use error_page::{ERROR_FORMS, error_page};
pub use file::StaticFile;
pub use listing::{Direction, Entry, EntryKind, Listing, Order, Pieces, SortBy};
use listing::{DirectoryReader, SharedReadings};
pub use root::Root;
use root_path::RootPath;
pub use settings::{DotFiles, Listings, Precompressed, SiteSettings, SymbolicLinks, is_index_name};
pub use twins::Twins;

use crate::http::TargetPath;

/// Bytes of a query that may not stand in a field (RFC 9110 §5.5); all others stay as they were sent.
const QUERY: &AsciiSet = &CONTROLS.add(b' ');

/// A directory that is served.
#[derive(Debug)]
pub struct Site {
    root: RootPath,
    settings: SiteSettings,
    readings: SharedReadings,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    File(StaticFile),
    /// A directory without an index file.
    Listing(Listing),
    /// A directory was named without its slash: the reference to be asked for instead, an absolute
    /// path with the query, for `Location`.
    Redirect(String),
}

/// What one open finds.
enum Opened {
    File(StaticFile),
    Directory(File),
}

impl Site {
    /// Opens the directory at `path`. When the path names another one later, that is served instead.
    ///
    /// # Errors
    /// It is no directory or cannot be opened, `openat2` is denied, or an index file's name is none.
    pub fn open(path: &Path, settings: SiteSettings) -> Result<Self, SiteError> {
        if let Some(name) = settings.index.iter().find(|name| !is_index_name(name)) {
            return Err(SiteError::IndexName(name.clone()));
        }
        let root = RootPath::open(path, settings.symbolic_links)?;
        Ok(Self { root, settings, readings: SharedReadings::default() })
    }

    /// Finds what is served under a path: a file by its name, a directory by its index file
    /// or its listing.
    ///
    /// A plain file costs one open and one look at its metadata. Nothing waits for another program,
    /// whatever lies there: FIFOs, sockets and devices are not found.
    ///
    /// # Errors
    /// There is nothing to serve, or it cannot be said just now.
    pub fn find(&self, path: &TargetPath) -> Result<Found, Absence> {
        if path.segments().any(|segment| self.settings.dot_files.hide(segment)) {
            return Err(Absence::NotFound);
        }
        let root = self.root.current(Instant::now())?;
        match self.find_beneath(&root, path) {
            // The path of the root may name another directory by now, which has it.
            Err(Absence::NotFound) => match self.root.changed_from(&root)? {
                Some(root) => self.find_beneath(&root, path),
                None => Err(Absence::NotFound),
            },
            found => found,
        }
    }

    fn find_beneath(&self, root: &Root, path: &TargetPath) -> Result<Found, Absence> {
        if path.names_directory {
            return self.find_index(root, path);
        }
        match open_beneath(root, &path.relative) {
            Ok(Opened::File(file)) => Ok(Found::File(file)),
            Ok(Opened::Directory(_)) => Ok(Found::Redirect(with_slash(path))),
            // One that may be passed through, though not read, may have an index file.
            Err(Absence::Forbidden) if root.has_directory(&path.relative) => {
                Ok(Found::Redirect(with_slash(path)))
            }
            Err(absence) => Err(absence),
        }
    }

    /// The first index file of a directory. Its directory is opened only if there is none.
    fn find_index(&self, root: &Root, path: &TargetPath) -> Result<Found, Absence> {
        for (index, name) in self.settings.index.iter().enumerate() {
            match open_beneath(root, &join(&path.relative, name.as_bytes())) {
                Ok(Opened::File(file)) => {
                    return Ok(Found::File(StaticFile { index: Some(index), ..file }));
                }
                Ok(Opened::Directory(_)) | Err(Absence::NotFound) => {}
                Err(absence) => return Err(absence),
            }
        }
        match open_beneath(root, &path.relative)? {
            Opened::File(_) => Err(Absence::NotFound),
            // One that was removed while it was open is empty, whatever it held (stat(2), `st_nlink`).
            Opened::Directory(directory) if directory.metadata()?.nlink() == 0 => {
                Err(Absence::NotFound)
            }
            Opened::Directory(directory) => match self.settings.listings {
                Listings::Offered => {
                    let dot_files = self.settings.dot_files;
                    let reader = DirectoryReader { root, dot_files, directory: &directory, path };
                    let reading = self.readings.read(&reader)?;
                    Ok(Found::Listing(Listing::new(path, reading)))
                }
                Listings::Refused => Err(Absence::Forbidden),
            },
        }
    }
}

fn open_beneath(root: &Root, relative: &[u8]) -> Result<Opened, Absence> {
    let file = File::from(root.open_beneath(relative)?);
    let metadata = file.metadata()?;
    if metadata.is_file() {
        let name = relative.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        Ok(Opened::File(StaticFile::new(file, &metadata, name)?))
    } else if metadata.is_dir() {
        Ok(Opened::Directory(file))
    } else {
        Err(Absence::NotFound)
    }
}

/// The path of `name` in the directory `relative`.
fn join<'n>(relative: &[u8], name: &'n [u8]) -> Cow<'n, [u8]> {
    if relative.is_empty() { Cow::Borrowed(name) } else { [relative, name].join(&b'/').into() }
}

/// The path as a directory's, its query kept.
fn with_slash(path: &TargetPath) -> String {
    let mut location = path.to_absolute();
    if !location.ends_with('/') {
        location.push('/');
    }
    if let Some(query) = &path.query {
        location.push('?');
        location.extend(percent_encode(query, QUERY));
    }
    location
}

#[cfg(test)]
mod tests;
