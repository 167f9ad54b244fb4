//! Finds the resource that a path of a request names: a file, a listing, an archive, or a redirect.

use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::archive::contents::{Archive, asks_for_archive};
use super::archive::source::ArchiveSource;
use super::cache::FileCache;
use super::clean_url;
use super::content_type::is_compressible;
use super::error::{LookupError, SiteError};
use super::file::{NamedFile, StaticFile};
use super::listing::cache::ListingCache;
use super::listing::contents::Listing;
use super::listing::reader::DirectoryReader;
use super::opened::{Opened, join, open_beneath};
use super::page_file::PageFile;
use super::precompressed::PrecompressedFiles;
use super::root::Root;
use super::root_path::RootPath;
use super::settings::{CleanUrls, Listings, Precompressed, SiteSettings, is_index_name};
use crate::http::{Coding, Status, TargetPath};

/// Bytes of a query that a field value must not contain (RFC 9110 §5.5); others are kept as sent.
const QUERY: &AsciiSet = &CONTROLS.add(b' ');

/// A directory that is served.
#[derive(Debug)]
pub(crate) struct Site {
    root: RootPath,
    settings: SiteSettings,
    files: FileCache,
    pub(super) listings: Arc<ListingCache>,
}

/// The resource that a path names.
#[derive(Debug)]
pub(crate) enum Resource<'n> {
    File(NamedFile<'n>),
    /// A directory without an index file.
    Listing(Listing),
    /// The same, if the query asks for it as an archive.
    Archive(Box<Archive>),
    /// A directory that was named without its slash: the value of `Location`, an absolute path with the
    /// query.
    Redirect(String),
}

impl Site {
    /// Opens the directory at `path`. If the path names another directory later, that one is served.
    ///
    /// # Errors
    /// The path is not a directory or cannot be opened, `openat2` is denied, or the name of an index file
    /// is invalid.
    pub(crate) fn open(path: &Path, settings: SiteSettings) -> Result<Self, SiteError> {
        if let Some(name) = settings.index.iter().find(|name| !is_index_name(name)) {
            return Err(SiteError::IndexName(name.clone()));
        }
        let root = RootPath::open(path, settings.symbolic_links)?;
        let files = FileCache::new(settings.cache_bytes);
        let site = Self { root, settings, files, listings: Arc::default() };
        let error_pages = site.settings.error_pages.iter().map(|page| &page.file);
        for file in error_pages.chain(&site.settings.fallback) {
            if site.open_page(file).is_none() {
                log::warn!(
                    "there is no file {file} to be served: built-in pages are sent until there is"
                );
            }
        }
        Ok(site)
    }

    /// Finds the resource at a path: a file, or for a directory its index file or its listing.
    ///
    /// A file in memory needs a `statx`, another one an open and a `fstat`. Never blocks on another process:
    /// FIFOs, sockets and devices are not found.
    ///
    /// # Errors
    /// There is nothing to serve, or the system fails for now.
    pub(crate) fn find<'n>(&'n self, path: &'n TargetPath) -> Result<Resource<'n>, LookupError> {
        if path.segments().any(|segment| self.settings.dot_files.hide(segment)) {
            return Err(LookupError::NotFound);
        }
        let root = self.root.current(Instant::now())?;
        match self.find_beneath(&root, path) {
            // The path of the root may name another directory by now, which has the file.
            Err(LookupError::NotFound) => match self.root.changed_from(&root)? {
                Some(root) => self.find_beneath(&root, path),
                None => Err(LookupError::NotFound),
            },
            result => result,
        }
    }

    /// Whether a file may have precompressed files, now or later. Then the response depends on
    /// `Accept-Encoding` even if it is the plain file, and needs `Vary` (RFC 9110 §12.5.5).
    ///
    /// Decided by name and type alone: looking for the files takes one open for each coding, an eighth of
    /// the cost of a request, and one may be added a moment later.
    #[must_use]
    pub(crate) fn may_have_precompressed(&self, plain: &StaticFile) -> bool {
        self.settings.precompressed == Precompressed::Served
            && plain.description.coding == Coding::Identity
            && is_compressible(&plain.description.content_type)
    }

    /// Finds the precompressed files of `plain`, which is at `path` beneath the root.
    #[must_use]
    pub(crate) fn find_precompressed(
        &self,
        path: Cow<'_, [u8]>,
        plain: &StaticFile,
    ) -> PrecompressedFiles {
        if !self.may_have_precompressed(plain) {
            return PrecompressedFiles::default();
        }
        let Ok(root) = self.root.current(Instant::now()) else {
            return PrecompressedFiles::default();
        };
        PrecompressedFiles::find(&root, &self.files, path.into_owned(), plain)
    }

    /// The operator's page for an error, if there is one at present.
    #[must_use]
    pub(crate) fn error_page(&self, status: Status) -> Option<NamedFile<'_>> {
        let mut pages = self.settings.error_pages.iter().filter(|page| page.status == status);
        pages.find_map(|page| self.open_page(&page.file))
    }

    /// The fallback for a path without a file, if there is one at present. Names that begin with a dot are
    /// no pages of an application: programs ask for them to find out whether they are there.
    #[must_use]
    pub(crate) fn fallback(&self, path: &TargetPath) -> Option<NamedFile<'_>> {
        let page = self.settings.fallback.as_ref()?;
        if path.segments().any(|segment| segment.starts_with(b".")) {
            return None;
        }
        self.open_page(page)
    }

    fn open_page<'n>(&self, page: &'n PageFile) -> Option<NamedFile<'n>> {
        let root = self.root.current(Instant::now()).ok()?;
        match open_beneath(&root, &self.files, page.path()) {
            Ok(Opened::File(file)) => Some(NamedFile { file, path: page.path().into() }),
            _ => None,
        }
    }

    fn find_beneath<'n>(
        &'n self,
        root: &Arc<Root>,
        path: &'n TargetPath,
    ) -> Result<Resource<'n>, LookupError> {
        if path.names_directory {
            return self.find_index(root, path);
        }
        match open_beneath(root, &self.files, &path.relative) {
            Ok(Opened::File(file)) => {
                let path = Cow::Borrowed(&*path.relative);
                Ok(Resource::File(NamedFile { file, path }))
            }
            Ok(Opened::Directory(_)) => Ok(self.find_beside_directory(root, path)),
            // A directory that may be traversed but not read may have an index file.
            Err(LookupError::Forbidden) if root.has_directory(&path.relative) => {
                Ok(self.find_beside_directory(root, path))
            }
            Err(LookupError::NotFound) if self.settings.clean_urls == CleanUrls::Served => {
                clean_url::find_page(root, &self.files, path).map(Resource::File)
            }
            Err(error) => Err(error),
        }
    }

    /// The clean URL of a page beside a directory without an index file, else a redirect to the directory.
    fn find_beside_directory(&self, root: &Root, path: &TargetPath) -> Resource<'_> {
        let has_index = || {
            let mut names = self.settings.index.iter();
            names.any(|name| {
                let index = join(&path.relative, name.as_bytes());
                matches!(open_beneath(root, &self.files, &index), Ok(Opened::File(_)))
            })
        };
        if self.settings.clean_urls == CleanUrls::Served
            && !has_index()
            && let Ok(page) = clean_url::find_page(root, &self.files, path)
        {
            return Resource::File(page);
        }
        Resource::Redirect(with_slash(path))
    }

    /// Finds the first index file of a directory, or lists the directory if it has none.
    fn find_index(&self, root: &Arc<Root>, path: &TargetPath) -> Result<Resource<'_>, LookupError> {
        for name in &self.settings.index {
            let index = join(&path.relative, name.as_bytes());
            match open_beneath(root, &self.files, &index) {
                Ok(Opened::File(file)) => {
                    return Ok(Resource::File(NamedFile { file, path: index }));
                }
                Ok(Opened::Directory(_)) | Err(LookupError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        match open_beneath(root, &self.files, &path.relative)? {
            Opened::File(_) => Err(LookupError::NotFound),
            // A directory that was removed while open reads as empty (stat(2), `st_nlink`).
            Opened::Directory(directory) if directory.metadata()?.nlink() == 0 => {
                Err(LookupError::NotFound)
            }
            Opened::Directory(_) if self.settings.listings == Listings::Refused => {
                Err(LookupError::Forbidden)
            }
            Opened::Directory(directory) => self.list(root, path, &directory),
        }
    }

    /// Lists the directory that was opened at a path, or archives it if the query asks for that.
    fn list(
        &self,
        root: &Arc<Root>,
        path: &TargetPath,
        directory: &File,
    ) -> Result<Resource<'static>, LookupError> {
        let dot_files = self.settings.dot_files;
        if path.query.as_deref().is_some_and(asks_for_archive) {
            let source = ArchiveSource {
                root: Arc::clone(root),
                index: self.settings.index.clone(),
                dot_files,
                listings: Arc::clone(&self.listings),
            };
            return Ok(Resource::Archive(Box::new(Archive::open(source, directory, path)?)));
        }
        let reader = DirectoryReader { root, dot_files, directory, relative: &path.relative };
        Ok(Resource::Listing(Listing::new(path, self.listings.read(&reader)?)))
    }
}

/// The path with a slash at its end, and its query.
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
