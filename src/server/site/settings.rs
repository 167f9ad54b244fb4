//! Settings of a site: the files that are served, and how.

use super::page_file::{ErrorPage, PageFile};

/// Settings of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSettings {
    /// Names of index files, tried in order when a directory is requested; by default `index.html`.
    pub index: Vec<String>,
    /// Whether pages are served without the suffix of their names; by default they are not.
    pub clean_urls: CleanUrls,
    /// Pages that are sent in place of the built-in ones; of several for a status, the first that is there.
    /// By default none.
    pub error_pages: Vec<ErrorPage>,
    /// The page of a single-page application: browsers that open a path without a file get it. By default
    /// none.
    pub fallback: Option<PageFile>,
    /// Whether directories without an index file are listed; by default they are.
    pub listings: Listings,
    /// Whether links may leave the root; by default they may not.
    pub symbolic_links: SymbolicLinks,
    /// Whether names that begin with a dot are served; by default they are not.
    pub dot_files: DotFiles,
    /// Whether precompressed files are sent in place of plain files; by default they are.
    pub precompressed: Precompressed,
    /// Most memory for small files that are kept to be sent again, in bytes; by default
    /// 32 MiB, and with 0 none are kept.
    pub cache_bytes: u64,
}

/// 32 MiB: some hundred files of the largest size that is kept, or thousands of pages.
const DEFAULT_CACHE_BYTES: u64 = 32 * 1024 * 1024;

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            index: vec!["index.html".to_owned()],
            clean_urls: CleanUrls::NotFound,
            error_pages: Vec::new(),
            fallback: None,
            listings: Listings::Offered,
            symbolic_links: SymbolicLinks::Confined,
            dot_files: DotFiles::Hidden,
            precompressed: Precompressed::Served,
            cache_bytes: DEFAULT_CACHE_BYTES,
        }
    }
}

/// Whether this is the name of a file rather than a path.
#[must_use]
pub fn is_index_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// Whether `/about` is the page `about.html`, unless a file, or a directory with an index file, is named `about`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CleanUrls {
    Served,
    /// The page is served only as `/about.html`.
    NotFound,
}

/// Whether a directory without an index file is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listings {
    Offered,
    /// Such a directory is answered with 403; the files in it are served.
    Refused,
}

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolicLinks {
    /// Relative links that stay beneath the root; others are not found.
    Confined,
    /// All. Users who can create links beneath the root can then publish every file that the server's user
    /// can read.
    Followed,
}

/// Whether names that begin with a dot are listed and served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotFiles {
    /// They are not found, nor are files in directories of such names; `.well-known` is (RFC 8615).
    Hidden,
    Shown,
}

impl DotFiles {
    /// Whether a segment of a path is treated as missing.
    pub(super) fn hide(self, segment: &[u8]) -> bool {
        self == Self::Hidden && segment.starts_with(b".") && segment != b".well-known"
    }
}

/// Whether `app.js.gz` is sent with the coding gzip for `app.js` to clients that accept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precompressed {
    Served,
    /// It is served only under its own name.
    Ignored,
}
