//! What is to be served of a directory, and how.

/// Settings of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSettings {
    /// Names that are tried, in order, where a directory is asked for; by default `index.html`.
    pub index: Vec<String>,
    /// What becomes of directories without an index file; listed by default.
    pub listings: Listings,
    /// What becomes of links that leave the root; refused by default.
    pub symbolic_links: SymbolicLinks,
    /// Whether names that begin with a dot exist; not by default.
    pub dot_files: DotFiles,
    /// Whether a compressed file stands for the plain one beside it; by default it does.
    pub precompressed: Precompressed,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            index: vec!["index.html".to_owned()],
            listings: Listings::Offered,
            symbolic_links: SymbolicLinks::Confined,
            dot_files: DotFiles::Hidden,
            precompressed: Precompressed::Served,
        }
    }
}

/// Whether a file in a directory may have this name: it is no path.
#[must_use]
pub fn is_index_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// Whether a directory without an index file is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listings {
    Offered,
    /// Such a directory is forbidden; what lies in it is served to whoever knows its name.
    Refused,
}

/// How far symbolic links lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolicLinks {
    /// As far as they stay beneath the root without being absolute; others are not found.
    Confined,
    /// Anywhere. Whoever may create a link beneath the root decides then which files of the machine
    /// are served, as far as the server's user may read them.
    Followed,
}

/// Whether names that begin with a dot are listed and served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotFiles {
    /// They are not found, and neither is what lies in such a directory. `.well-known` is the
    /// exception: it is there to be asked for (RFC 8615).
    Hidden,
    Shown,
}

impl DotFiles {
    /// Whether one segment of a path is treated as if it did not exist.
    pub(super) fn hide(self, segment: &[u8]) -> bool {
        self == Self::Hidden && segment.starts_with(b".") && segment != b".well-known"
    }
}

/// Whether `app.js.gz` is sent, as gzip-coded, to whoever accepts that and asks for `app.js`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precompressed {
    Served,
    /// It is a file like any other.
    Ignored,
}
