//! The directory that the three servers share; identifies its files by content.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

/// The file requested after each case.
pub(crate) const LAST_REQUEST: &[u8] = b"GET /last.txt HTTP/1.1\r\nHost: a\r\n\r\n";

/// Sun, 06 Nov 1994 08:49:37 GMT, the date in conditional requests.
const MODIFIED: Duration = Duration::from_secs(784_111_777);

#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) directory: TempDir,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Site {
    pub(crate) fn create() -> io::Result<Self> {
        let directory = TempDir::new()?;
        let text = |text: &str| text.as_bytes().to_vec();
        let files = vec![
            ("last.txt", text("the last one")),
            ("a.txt", text("0123456789abc\n")),
            ("index.html", text("<title>root</title>")),
            ("dir/index.html", text("<title>directory</title>")),
            ("dir/b.txt", text("a file in a directory\n")),
            ("large.bin", (0..=250).cycle().take(70_000).collect()),
            ("empty.txt", Vec::new()),
            ("with blank.txt", text("its name has a blank")),
            ("plus+.txt", text("its name has a plus")),
            ("percent%.txt", text("its name has a percent sign")),
            ("a.txt?", text("its name ends with a question mark")),
        ];
        fs::create_dir(directory.path().join("dir"))?;
        for (name, content) in &files {
            let path = directory.path().join(name);
            fs::write(&path, content)?;
            File::options().write(true).open(&path)?.set_modified(UNIX_EPOCH + MODIFIED)?;
        }
        // Apache runs as another user.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        Ok(Self { directory, files })
    }

    /// The file, or part of a file, with this content.
    pub(crate) fn name_of(&self, content: &[u8]) -> Option<String> {
        if content.is_empty() {
            return Some("empty.txt".to_owned());
        }
        if let Some((name, _)) = self.files.iter().find(|(_, whole)| whole == content) {
            return Some((*name).to_owned());
        }
        self.files.iter().find_map(|(name, whole)| {
            let at = whole.windows(content.len()).position(|part| part == content)?;
            Some(format!("{name}[{at}-{}]", at + content.len() - 1))
        })
    }

    /// The file of this length.
    pub(crate) fn name_by_length(&self, length: usize) -> Option<&'static str> {
        self.files.iter().find(|(_, content)| content.len() == length).map(|(name, _)| *name)
    }
}
