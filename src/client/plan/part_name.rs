//! The names of incomplete files: `NAME.HASH.part` and `NAME.HASH.part.json`, and of files that are whole but
//! not renamed yet: `.NUMBER.PROCESS.part~`.
//!
//! The hash of the file's name lets a later run find the part, and keeps other files from having its name
//! by chance. A server could name its file like the part of another download, so no download gets such a
//! name.

use sha2::{Digest as _, Sha256};

/// The suffix of an incomplete file.
pub(crate) const PART_SUFFIX: &str = ".part";

/// The suffix of the notes beside a part.
pub(crate) const NOTES_SUFFIX: &str = ".part.json";

/// The suffix of new notes until they replace the older ones.
pub(crate) const NEW_NOTES_SUFFIX: &str = ".part.json~";

/// The suffix of a file that is written at once, until it is renamed.
const WHOLE_SUFFIX: &str = ".part~";

/// The length of the hash in hexadecimal digits.
const HASH_DIGITS: usize = 8;

/// The longest file name, in bytes (limits.h, `NAME_MAX`).
const NAME_MAX: usize = 255;

/// The names of a file's part and notes without their suffixes: the file's name, shortened if necessary,
/// and the hash. `number` distinguishes several stems of one file.
pub(crate) fn stem(name: &str, number: usize) -> String {
    let hash = Sha256::digest(format!("{name}\0{number}"));
    let longest = NAME_MAX - NEW_NOTES_SUFFIX.len() - HASH_DIGITS - 1;
    let mut length = name.len().min(longest);
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    let digits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    format!("{}.{digits:08x}", &name[..length])
}

/// The name of a file that is written at once, until it is renamed. No part has such a name. `process` and
/// `number` distinguish those of several.
pub(crate) fn whole_file_name(process: u32, number: u32) -> String {
    format!(".{number}.{process:08x}{WHOLE_SUFFIX}")
}

/// Whether this is a [`whole_file_name`].
pub(crate) fn is_whole_file_name(name: &str) -> bool {
    let number = name.strip_prefix('.').and_then(|name| name.split_once('.'));
    number.is_some_and(|(number, rest)| {
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && rest.strip_suffix(WHOLE_SUFFIX).is_some_and(is_hash)
    })
}

/// The hash in the name of a part or of notes, as the client writes it.
pub(crate) fn hash_of(name: &str) -> Option<&str> {
    let suffixes = [PART_SUFFIX, NOTES_SUFFIX, NEW_NOTES_SUFFIX];
    let front = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix))?;
    front.rsplit_once('.').map(|(_, hash)| hash).filter(|hash| is_hash(hash))
}

fn is_hash(digits: &str) -> bool {
    digits.len() == HASH_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Where the suffix begins, if this is the name of a part or of notes, or if a file system may treat it as
/// one.
pub(crate) fn suffix_at(name: &str) -> Option<usize> {
    let has_suffix = |name: &str| {
        name.as_bytes()
            .windows(PART_SUFFIX.len())
            .any(|text| text.eq_ignore_ascii_case(PART_SUFFIX.as_bytes()))
    };
    // Nearly all names of a long list.
    if name.is_ascii() && !has_suffix(name) {
        return None;
    }
    name.match_indices('.').map(|(at, _)| at).find(|at| {
        let (front, suffix) = (folded(&name[..*at]), folded(&name[*at..]));
        let suffix = suffix.trim_end_matches(['.', ' ']);
        [PART_SUFFIX, NOTES_SUFFIX, NEW_NOTES_SUFFIX, WHOLE_SUFFIX].contains(&suffix)
            && front.rsplit_once('.').is_some_and(|(_, hash)| is_hash(hash))
    })
}

/// The name as file systems compare it that ignore case (FAT, APFS, ext4 with `casefold`), of which some
/// ignore invisible characters too. Characters outside ASCII are removed, except those whose case folding is
/// ASCII (Unicode, `CaseFolding`). FAT and SMB ignore dots and blanks at the end of a name.
fn folded(name: &str) -> String {
    let name = name.replace('\u{17f}', "s").replace('\u{fb00}', "ff");
    name.chars().filter(char::is_ascii).map(|character| character.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_is_of_one_name_and_one_number() {
        let own = stem("x", 0);
        assert_eq!((own.as_str(), own.len()), (stem("x", 0).as_str(), 10));
        for other in [stem("y", 0), stem("x", 1), stem("x1", 0)] {
            assert_ne!(own[2..], other[other.len() - 8..]);
        }
    }

    #[test]
    fn a_long_stem_is_cut_between_characters_and_still_of_one_name() {
        let (one, two) = ("ü".repeat(119) + "1", "ü".repeat(119) + "2");
        let (one, two) = (stem(&one, 0), stem(&two, 0));
        assert!(one != two && one.len() + NEW_NOTES_SUFFIX.len() <= NAME_MAX, "{one} {two}");
    }

    #[test]
    fn a_whole_file_has_a_name_that_neither_a_download_nor_a_part_gets() {
        let name = whole_file_name(0x1f, 12);
        assert_eq!(name, ".12.0000001f.part~");
        assert!(is_whole_file_name(&name) && suffix_at(&name).is_some());
        for other in
            ["x.12.0000001f.part~", ".12.1f.part~", ".x.0000001f.part~", "..0000001f.part~"]
        {
            assert!(!is_whole_file_name(other), "{other}");
        }
        for suffix in [PART_SUFFIX, NOTES_SUFFIX, NEW_NOTES_SUFFIX] {
            let part = stem(".12", 0) + suffix;
            assert!(!is_whole_file_name(&part), "{part} is of a download with the name .12");
        }
    }

    #[test]
    fn the_hash_is_found_in_the_names_of_parts_and_notes() {
        for (name, hash) in [
            ("x.0123abcd.part", Some("0123abcd")),
            ("x.y.0123abcd.part.json", Some("0123abcd")),
            ("x.0123abcd.part.json~", Some("0123abcd")),
            ("x.0123abcd.json", None),
            ("0123abcd.part", None),
            ("x.0123abc.part", None),
        ] {
            assert_eq!(hash_of(name), hash, "{name}");
        }
    }

    #[test]
    fn names_of_parts_are_told_from_others() {
        for (name, at) in [
            ("x.0123abcd.part", Some(10)),
            ("x.0123abcd.part.json", Some(10)),
            ("x.0123abcd.part.json~", Some(10)),
            ("x.0123ABCD.Part.JSON", Some(10)),
            (".0123abcd.part", Some(9)),
            ("x.part", None),
            ("x.part.json", None),
            ("x.0123abc.part", None),
            ("x.0123abcg.part", None),
            ("x0123abcd.part", None),
            ("0123abcd.part", None),
            ("x.0123abcd.part~", Some(10)),
            ("x.0123abcd.partition", None),
            ("ü.0123abcd.part", Some(11)),
            ("x.0123abcd.part.", Some(10)),
            ("x.0123abcd.part.json. .", Some(10)),
            ("x.0123abcd.part ", Some(10)),
            ("x.0123abcd.pa\u{ad}rt", Some(10)),
            ("x.0123\u{200d}abcd.part\u{feff}", Some(13)),
            ("x.0123abcd.part.j\u{17f}on", Some(10)),
            ("x.0123ab\u{fb00}.part", Some(11)),
            ("x.0123abcd.part.x", None),
        ] {
            assert_eq!(suffix_at(name), at, "{name}");
        }
    }
}
