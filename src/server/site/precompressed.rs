//! Precompressed twins: `app.js.br`, `app.js.zst` or `app.js.gz`, made beforehand, beside `app.js`.
//!
//! Owns which twins there are and whether they are fit to stand for their file. Which one a request
//! gets, its `Accept-Encoding` decides; nothing is compressed here.

use std::time::SystemTime;

use super::file::StaticFile;
use super::opened::{Opened, open_beneath};
use super::root::Root;
use crate::http::Coding;

/// The twins of one file, the shortest first.
#[derive(Debug, Default)]
pub(in crate::server) struct Twins {
    codings: Vec<Coding>,
    files: Vec<StaticFile>,
}

impl Twins {
    /// The codings that are looked for.
    pub(in crate::server) const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// The codings that the file is to be had in, besides identity.
    #[must_use]
    pub(in crate::server) fn codings(&self) -> &[Coding] {
        &self.codings
    }

    /// Hands out the twin of this coding.
    #[must_use]
    pub(in crate::server) fn take(mut self, coding: Coding) -> Option<StaticFile> {
        let at = self.codings.iter().position(|candidate| *candidate == coding)?;
        Some(self.files.swap_remove(at))
    }

    /// Finds the twins of `plain`, which has this name beneath the root: regular files that are served
    /// themselves, neither older than the plain file, which may have been edited since, nor empty,
    /// which no coded content is. One that cannot be opened is none.
    pub(super) fn find(root: &Root, mut name: Vec<u8>, plain: &StaticFile) -> Self {
        let mut twins = Self::default();
        let plain_length = name.len();
        for coding in Self::CODINGS {
            name.truncate(plain_length);
            name.extend_from_slice(coding.suffix().as_bytes());
            let Ok(Opened::File(twin)) = open_beneath(root, &name) else { continue };
            if twin.length == 0 || whole_seconds(&twin) < whole_seconds(plain) {
                continue;
            }
            let at = twins.files.partition_point(|other| other.length <= twin.length);
            twins.codings.insert(at, coding);
            let content_type = plain.content_type.clone();
            twins.files.insert(at, StaticFile { content_type, coding, index: plain.index, ..twin });
        }
        twins
    }
}

/// When a file was modified, as exactly as copies can be relied on to keep it: archives and some
/// compressors drop the rest.
fn whole_seconds(file: &StaticFile) -> u64 {
    file.modified.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes, create_dir, read_to_string, write};
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::http::{Method, Target};
    use crate::server::site::lookup::{Found, Site};
    use crate::server::site::settings::{Precompressed, SiteSettings};

    /// Writes a file that was modified so many milliseconds before some moment.
    fn write_aged(tree: &TempDir, name: &str, content: &str, milliseconds: u64) {
        let path = tree.path().join(name);
        write(&path, content).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_612_625);
        let modified = moment - Duration::from_millis(milliseconds);
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    }

    fn find(site: &Site, target: &str) -> (StaticFile, Twins) {
        let Ok(Target::Path(path)) = Target::parse(Method::Get, target.as_bytes()) else {
            panic!("{target} is refused")
        };
        let Ok(Found::File(plain)) = site.find(&path) else { panic!("{target} is not found") };
        let twins = site.find_twins(&path, &plain);
        (plain, twins)
    }

    fn open(tree: &TempDir, precompressed: Precompressed) -> Site {
        let settings = SiteSettings { precompressed, ..Default::default() };
        Site::open(tree.path(), settings).unwrap()
    }

    #[test]
    fn twins_stand_for_their_file_the_shortest_first() {
        let tree = tempfile::tempdir().unwrap();
        write_aged(&tree, "app.js", "the plain script", 5100);
        write_aged(&tree, "app.js.gz", "gzip....", 4000);
        write_aged(&tree, "app.js.br", "brotli", 6000);
        write_aged(&tree, "app.js.zst", "zst", 0);
        let (plain, twins) = find(&open(&tree, Precompressed::Served), "/app.js");
        assert_eq!(plain.coding, Coding::Identity);
        assert_eq!(twins.codings(), [Coding::Zstd, Coding::Brotli, Coding::Gzip]);
        let twin = twins.take(Coding::Brotli).unwrap();
        assert_eq!(twin.content_type, "text/javascript; charset=utf-8");
        assert_eq!((twin.coding, twin.length), (Coding::Brotli, 6));
        assert_ne!(twin.inode, plain.inode);
        assert_eq!(std::io::read_to_string(twin.file).unwrap(), "brotli");
    }

    #[test]
    fn a_twin_that_is_not_there_is_not_handed_out() {
        let tree = tempfile::tempdir().unwrap();
        write_aged(&tree, "a.txt", "plain", 0);
        write_aged(&tree, "a.txt.gz", "gz", 0);
        let site = open(&tree, Precompressed::Served);
        for coding in [Coding::Identity, Coding::Brotli] {
            let (_, twins) = find(&site, "/a.txt");
            assert!(twins.take(coding).is_none(), "{coding:?}");
        }
    }

    #[test]
    fn an_index_file_has_twins_as_well() {
        let tree = tempfile::tempdir().unwrap();
        create_dir(tree.path().join("docs")).unwrap();
        for directory in ["", "docs/"] {
            write_aged(&tree, &format!("{directory}index.html"), "plain", 0);
            write_aged(&tree, &format!("{directory}index.html.gz"), directory, 0);
        }
        write_aged(&tree, "docs.gz", "beside", 0);
        let site = open(&tree, Precompressed::Served);
        let (_, twins) = find(&site, "/docs/");
        let twin = twins.take(Coding::Gzip).unwrap();
        assert_eq!(twin.content_type, "text/html; charset=utf-8");
        assert_eq!(std::io::read_to_string(twin.file).unwrap(), "docs/");
        write_aged(&tree, "index.html.gz", "root", 0);
        let (_, twins) = find(&site, "/");
        assert_eq!(
            std::io::read_to_string(twins.take(Coding::Gzip).unwrap().file).unwrap(),
            "root"
        );
    }

    #[test]
    fn what_is_not_fit_to_stand_for_a_file_is_no_twin() {
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
    fn twins_are_files_of_their_own_where_they_are_ignored() {
        let tree = tempfile::tempdir().unwrap();
        write_aged(&tree, "a.txt", "plain", 0);
        write_aged(&tree, "a.txt.gz", "gz", 0);
        let (_, twins) = find(&open(&tree, Precompressed::Ignored), "/a.txt");
        assert_eq!(twins.codings(), []);
        let (twin, _) = find(&open(&tree, Precompressed::Served), "/a.txt.gz");
        assert_eq!(
            (twin.content_type.as_ref(), twin.coding),
            ("application/gzip", Coding::Identity)
        );
        assert_eq!(read_to_string(tree.path().join("a.txt.gz")).unwrap().len() as u64, twin.length);
    }
}
