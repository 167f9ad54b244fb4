//! The files that the servers serve.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

/// The number of files in the directory `many`, `0.txt` and so on.
pub(crate) const MANY: usize = 1000;

/// A temporary directory with these files, in the page cache because they were just written.
pub(crate) struct Site {
    directory: TempDir,
}

impl Site {
    pub(crate) fn new() -> io::Result<Self> {
        let directory = TempDir::with_prefix("peers-site-")?;
        let root = directory.path();
        // Apache's workers are another user.
        fs::set_permissions(root, Permissions::from_mode(0o755))?;
        fs::write(root.join("14b.txt"), "Hello, client\n")?;
        for (name, bytes) in [("16k.txt", 16 << 10), ("100k.txt", 100 << 10), ("10m.txt", 10 << 20)]
        {
            fs::write(root.join(name), text(bytes, 0))?;
        }
        // Of zeros: it takes no room on the disk.
        File::create(root.join("100m.bin"))?.set_len(100 << 20)?;
        let many = root.join("many");
        fs::create_dir(&many)?;
        for number in 0..MANY {
            File::create(many.join(format!("{number}.txt")))?.write_all(&text(4096, number))?;
        }
        Ok(Self { directory })
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }
}

/// Lines of text; another one for each number.
fn text(bytes: usize, number: usize) -> Vec<u8> {
    let line = format!("file {number}: the quick brown fox jumps over the lazy dog\n");
    line.bytes().cycle().take(bytes).collect()
}
