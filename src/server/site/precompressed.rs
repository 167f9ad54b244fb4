//! Precompressed files: `app.js.br`, `app.js.zst` or `app.js.gz` beside `app.js`.
//!
//! Decides which precompressed files may replace a plain file. `handler` selects one by `Accept-Encoding`.
//! Nothing is compressed by the server.

use std::time::SystemTime;

use super::cache::FileCache;
use super::file::StaticFile;
use super::opened::{Opened, open_beneath};
use super::root::Root;
use crate::http::Coding;

/// The precompressed files of one plain file, the shortest first.
#[derive(Debug, Default)]
pub(crate) struct PrecompressedFiles {
    codings: Vec<Coding>,
    files: Vec<StaticFile>,
}

impl PrecompressedFiles {
    /// The codings of which files are looked up.
    pub(crate) const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// The codings that the file is available in, besides identity.
    #[must_use]
    pub(crate) fn codings(&self) -> &[Coding] {
        &self.codings
    }

    /// Takes the file with this coding.
    #[must_use]
    pub(crate) fn take(mut self, coding: Coding) -> Option<StaticFile> {
        let at = self.codings.iter().position(|candidate| *candidate == coding)?;
        Some(self.files.swap_remove(at))
    }

    /// Finds the precompressed files of `plain`, which has this name beneath the root. Each must be a file
    /// that would be served itself, not older than `plain` (which was edited since), and not empty (which
    /// coded content never is).
    pub(super) fn find(
        root: &Root,
        cache: &FileCache,
        mut name: Vec<u8>,
        plain: &StaticFile,
    ) -> Self {
        let mut found = Self::default();
        let plain_length = name.len();
        for coding in Self::CODINGS {
            name.truncate(plain_length);
            name.extend_from_slice(coding.suffix().as_bytes());
            let Ok(Opened::File(file)) = open_beneath(root, cache, &name) else { continue };
            let length = file.description.length();
            if length == 0 || modified_seconds(&file) < modified_seconds(plain) {
                continue;
            }
            let at = found.files.partition_point(|other| other.description.length() <= length);
            found.codings.insert(at, coding);
            found.files.insert(at, file.precompressed(plain, coding));
        }
        found
    }
}

/// When a file was modified, in whole seconds: archives and some compressors drop the fraction.
fn modified_seconds(file: &StaticFile) -> u64 {
    file.description
        .modified()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes, create_dir, write};
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::http::{Method, Target};
    use crate::server::site::lookup::{Resource, Site};
    use crate::server::site::settings::{Precompressed, SiteSettings};

    /// Writes a file that was modified so many milliseconds before a fixed time.
    fn write_aged(tree: &TempDir, name: &str, content: &str, milliseconds: u64) {
        let path = tree.path().join(name);
        write(&path, content).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_612_625);
        let modified = moment - Duration::from_millis(milliseconds);
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    }

    fn find(site: &Site, target: &str) -> (StaticFile, PrecompressedFiles) {
        let Ok(Target::Path(path)) = Target::parse(Method::Get, target.as_bytes()) else {
            panic!("{target} is refused")
        };
        let Ok(Resource::File(found)) = site.find(&path) else { panic!("{target} is not found") };
        let precompressed = site.find_precompressed(found.path, &found.file);
        (found.file, precompressed)
    }

    fn open(tree: &TempDir, precompressed: Precompressed) -> Site {
        let settings = SiteSettings { precompressed, ..Default::default() };
        Site::open(tree.path(), settings).unwrap()
    }

    #[test]
    fn precompressed_files_are_found_the_shortest_first() {
        let tree = tempfile::tempdir().unwrap();
        write_aged(&tree, "app.js", "the plain script", 5100);
        write_aged(&tree, "app.js.gz", "gzip....", 4000);
        write_aged(&tree, "app.js.br", "brotli", 6000);
        write_aged(&tree, "app.js.zst", "zst", 0);
        let (plain, precompressed) = find(&open(&tree, Precompressed::Served), "/app.js");
        assert_eq!(plain.description.coding, Coding::Identity);
        assert_eq!(precompressed.codings(), [Coding::Zstd, Coding::Brotli, Coding::Gzip]);
        let file = precompressed.take(Coding::Brotli).unwrap();
        let description = &file.description;
        assert_eq!(description.content_type, "text/javascript; charset=utf-8");
        assert_eq!((description.coding, description.length()), (Coding::Brotli, 6));
        assert_ne!(description.version.inode, plain.description.version.inode);
        assert_eq!(file.read(), b"brotli");
    }

    #[test]
    fn a_missing_precompressed_file_is_not_taken() {
        let tree = tempfile::tempdir().unwrap();
        write_aged(&tree, "a.txt", "plain", 0);
        write_aged(&tree, "a.txt.gz", "gz", 0);
        let site = open(&tree, Precompressed::Served);
        for coding in [Coding::Identity, Coding::Brotli] {
            let (_, precompressed) = find(&site, "/a.txt");
            assert!(precompressed.take(coding).is_none(), "{coding:?}");
        }
    }

    #[test]
    fn an_index_file_has_precompressed_files() {
        let tree = tempfile::tempdir().unwrap();
        create_dir(tree.path().join("docs")).unwrap();
        for directory in ["", "docs/"] {
            write_aged(&tree, &format!("{directory}index.html"), "plain", 0);
            write_aged(&tree, &format!("{directory}index.html.gz"), directory, 0);
        }
        write_aged(&tree, "docs.gz", "beside", 0);
        let site = open(&tree, Precompressed::Served);
        let (_, precompressed) = find(&site, "/docs/");
        let file = precompressed.take(Coding::Gzip).unwrap();
        assert_eq!(file.description.content_type, "text/html; charset=utf-8");
        assert_eq!(file.read(), b"docs/");
        write_aged(&tree, "index.html.gz", "root", 0);
        let (_, precompressed) = find(&site, "/");
        assert_eq!(precompressed.take(Coding::Gzip).unwrap().read(), b"root");
    }

    #[test]
    fn unfit_files_are_no_precompressed_files() {
        let tree = tempfile::tempdir().unwrap();
        for name in ["older", "empty", "directory", "out", "lone"] {
            write_aged(&tree, name, "plain", 60_000);
        }
        write_aged(&tree, "older.gz", "older", 60_001);
        write_aged(&tree, "empty.gz", "", 0);
        create_dir(tree.path().join("directory.gz")).unwrap();
        symlink("/etc/passwd", tree.path().join("out.gz")).unwrap();
        let site = open(&tree, Precompressed::Served);
        for target in ["/older", "/empty", "/directory", "/out", "/lone"] {
            assert_eq!(find(&site, target).1.codings(), [], "{target}");
        }
    }

    #[test]
    fn precompressed_files_are_served_by_their_own_names() {
        let tree = tempfile::tempdir().unwrap();
        write_aged(&tree, "a.txt", "plain", 0);
        write_aged(&tree, "a.txt.gz", "gz", 0);
        let (_, precompressed) = find(&open(&tree, Precompressed::Ignored), "/a.txt");
        assert_eq!(precompressed.codings(), []);
        let (file, _) = find(&open(&tree, Precompressed::Served), "/a.txt.gz");
        let description = &file.description;
        assert_eq!(
            (description.content_type.as_ref(), description.coding),
            ("application/gzip", Coding::Identity)
        );
        assert_eq!(description.length(), 2);
    }
}
