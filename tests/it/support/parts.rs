//! Partial files and their notes, as runs leave them on the disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Writes the part and notes of an interrupted run. `notes` holds the fields beside the URL and the part:
/// `"validator":…,"length":…`.
pub(crate) fn leave_part(
    directory: &Path,
    (name, url): (&str, &str),
    content: impl AsRef<[u8]>,
    notes: &str,
) {
    let part = part_path(directory, name);
    fs::write(&part, content).unwrap();
    let metadata = fs::metadata(&part).unwrap();
    let (inode, bytes) = (metadata.ino(), metadata.len());
    let text = format!(r#"{{"url":"{url}",{notes},"part":{{"inode":{inode},"bytes":{bytes}}}}}"#);
    fs::write(notes_path(&part), text).unwrap();
}

/// The path of the part of the file of this name.
pub(crate) fn part_path(directory: &Path, name: &str) -> PathBuf {
    let hash = Sha256::digest(format!("{name}\0{}", 0));
    let digits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    directory.join(format!("{name}.{digits:08x}.part"))
}

pub(crate) fn notes_path(part: &Path) -> PathBuf {
    part.with_added_extension("json")
}

/// The length of the file's part, if it exists.
pub(crate) fn part_bytes(directory: &Path, name: &str) -> Option<u64> {
    let part = format!("{name}.part");
    let entries = fs::read_dir(directory).ok()?;
    let mut parts =
        entries.flatten().filter(|entry| without_hash(entry.file_name().to_str().unwrap()) == part);
    parts.next()?.metadata().ok().map(|metadata| metadata.len())
}

/// The name of a part or its notes without the hash: `a.part`, `a.part.json`.
pub(crate) fn without_hash(name: &str) -> String {
    let Some((begin, end)) = name.split_once(".part") else { return name.to_owned() };
    match begin.rsplit_once('.') {
        Some((begin, hash)) if hash.len() == 8 && ["", ".json"].contains(&end) => {
            format!("{begin}.part{end}")
        }
        _ => name.to_owned(),
    }
}
