//! The header of a member of a tar archive.
//!
//! In the GNU format, which GNU tar, bsdtar, `BusyBox`, Python and 7-Zip read: it has names of any bytes and
//! length, and files of any size. The fields come from the package `tar`. Its `Builder` reads all of the
//! content itself, and refuses long names that do not begin as UTF-8.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use tar::{EntryType, Header};

/// Headers and contents begin at multiples of this.
const BLOCK_BYTES: usize = 512;

/// Two empty blocks.
pub(super) const END_OF_ARCHIVE: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

/// The name of a member whose content is the name of the next one.
const LONG_NAME: &[u8] = b"././@LongLink";

/// Appends the header of a file or a directory. Without owner and group, and with the permissions that most
/// files have: those of the server's files are of no use elsewhere.
pub(super) fn write_header(out: &mut Vec<u8>, path: &[u8], metadata: &Metadata) {
    let mut name = path.to_vec();
    let mut header = if metadata.is_dir() {
        name.push(b'/');
        new_header(EntryType::Directory, 0, 0o755)
    } else {
        new_header(EntryType::Regular, metadata.len(), 0o644)
    };
    // The field is unsigned: an earlier time becomes 1970.
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    if name.len() > header.as_old().name.len() {
        name.push(b'\0');
        push(out, new_header(EntryType::GNULongName, name.len() as u64, 0o644), LONG_NAME);
        out.extend_from_slice(&name);
        out.resize(out.len() + padding_after(name.len() as u64), 0);
    }
    push(out, header, &name);
}

/// How many bytes fill the last block of a content.
pub(super) fn padding_after(length: u64) -> usize {
    let in_last_block = length % BLOCK_BYTES as u64;
    let in_last_block = usize::try_from(in_last_block).expect("it is less than a block");
    (BLOCK_BYTES - in_last_block) % BLOCK_BYTES
}

fn new_header(kind: EntryType, length: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(length);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// Appends a header with as much of the name as it can have.
fn push(out: &mut Vec<u8>, mut header: Header, name: &[u8]) {
    let field = &mut header.as_old_mut().name;
    let length = name.len().min(field.len());
    field[..length].copy_from_slice(&name[..length]);
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
}
