//! What a path of a request leads to: a file, a listing, or the path to be asked for instead.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::content_type::is_compressible;
use super::error::{Absence, SiteError};
use super::file::StaticFile;
use super::listing::contents::Listing;
use super::listing::reading::DirectoryReader;
use super::listing::shared::SharedReadings;
use super::opened::{Opened, join, open_beneath};
use super::precompressed::Twins;
use super::root::Root;
use super::root_path::RootPath;
use super::settings::{Listings, Precompressed, SiteSettings, is_index_name};
use crate::http::{Coding, TargetPath};

/// Bytes of a query that may not stand in a field (RFC 9110 §5.5); all others stay as they were sent.
const QUERY: &AsciiSet = &CONTROLS.add(b' ');

/// A directory that is served.
#[derive(Debug)]
pub(in crate::server) struct Site {
    root: RootPath,
    settings: SiteSettings,
    pub(super) readings: SharedReadings,
}

/// What a path leads to.
#[derive(Debug)]
pub(in crate::server) enum Found {
    File(StaticFile),
    /// A directory without an index file.
    Listing(Listing),
    /// A directory was named without its slash: the reference to be asked for instead, an absolute
    /// path with the query, for `Location`.
    Redirect(String),
}

impl Site {
    /// Opens the directory at `path`. When the path names another one later, that is served instead.
    ///
    /// # Errors
    /// It is no directory or cannot be opened, `openat2` is denied, or an index file's name is none.
    pub(in crate::server) fn open(path: &Path, settings: SiteSettings) -> Result<Self, SiteError> {
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
    pub(in crate::server) fn find(&self, path: &TargetPath) -> Result<Found, Absence> {
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

    /// Whether a twin may stand for this file, be there one at present or not: then the answer depends
    /// on `Accept-Encoding`, also if it is the plain file and to a request without the field, and `Vary`
    /// has to say so (RFC 9110 §12.5.5).
    ///
    /// What the name says decides: the type, and that the file is not coded itself. To look whether
    /// there is a twin takes an attempt to open for each coding, an eighth of what a whole request
    /// costs, and it may be put there a moment later.
    #[must_use]
    pub(in crate::server) fn may_have_twins(&self, plain: &StaticFile) -> bool {
        self.settings.precompressed == Precompressed::Served
            && plain.coding == Coding::Identity
            && is_compressible(&plain.content_type)
    }

    /// Finds the twins of `plain`, which was found under `path`.
    #[must_use]
    pub(in crate::server) fn find_twins(&self, path: &TargetPath, plain: &StaticFile) -> Twins {
        if !self.may_have_twins(plain) {
            return Twins::default();
        }
        let Ok(root) = self.root.current(Instant::now()) else { return Twins::default() };
        let name = match plain.index {
            Some(index) => join(&path.relative, self.settings.index[index].as_bytes()),
            None => Cow::Borrowed(&*path.relative),
        };
        Twins::find(&root, name.into_owned(), plain)
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
