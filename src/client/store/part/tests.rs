//! Parts that are renamed, kept, resumed and removed.

use std::fs;
use std::path::Path;

use url::Url;

use super::*;
use crate::client::plan::part_name;
use crate::client::settings::Hashing;
use crate::client::store::candidate::OnConflict;
use crate::client::store::directory::{OutputDirectory, TargetPath};
use crate::client::store::validator::Validator;

/// The names in the directory; the names of parts and notes without their hashes.
fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| match part_name::suffix_at(&name) {
            Some(at) => format!("{}{}", &name[..at - ".01234567".len()], &name[at..]),
            None => name,
        })
        .collect();
    names.sort();
    names
}

fn target(root: &Path) -> TargetPath {
    OutputDirectory::prepare(root).unwrap().target_path("a").unwrap()
}

fn job() -> Job {
    let url = Url::parse("http://host/a").unwrap();
    Job { url, credentials: None, file_name: "a".into(), is_name_chosen: false, checksum: None }
}

fn notes(length: u64) -> Notes {
    let validator = Validator::Tag("\"x\"".into());
    Notes { url: "http://host/a".into(), validator, length: Some(length), missing: None }
}

fn created(
    target: &TargetPath,
    notes: Option<Notes>,
    saving: SaveSettings,
    hasher: Hasher,
) -> PartWriter {
    let target = target.clone();
    PartWriter::create(NewFile { target, notes, hasher, saving, has_leftovers: false })
}

fn found(target: &TargetPath, job: &Job) -> Option<FoundPart> {
    match find_earlier(target, job).unwrap() {
        Earlier::Part(found) => Some(found),
        Earlier::Nothing | Earlier::Leftovers => None,
    }
}

fn replacing(target: &TargetPath) -> Candidate {
    Candidate { target: target.clone(), on_conflict: OnConflict::Replace, is_likely_taken: true }
}

fn complete(part: PartWriter, target: &TargetPath) -> Result<Completed, FetchError> {
    part.complete(&mut Completion {
        modified: None,
        expected: None,
        next_candidate: &mut || Ok(replacing(target)),
    })
}

#[test]
fn a_file_has_its_name_only_when_it_is_complete() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    fs::write(root.path().join("a"), "an older and longer file").unwrap();
    let large = vec![b'x'; 2 * WRITE_BUFFER_BYTES];
    let mut part = created(&target, None, SaveSettings::default(), Hasher::default());
    for piece in [&b"one"[..], b"", &large, b"two"] {
        part.write(piece, false).unwrap();
    }
    assert_eq!(names_in(root.path()), ["a", "a.part"]);
    let completed = complete(part, &target).unwrap();
    let content = [b"one", &large[..], b"two"].concat();
    assert_eq!(completed.bytes, content.len() as u64);
    assert_eq!(names_in(root.path()), ["a"]);
    assert!(fs::read(completed.path).unwrap() == content);
}

#[test]
fn a_part_without_notes_is_removed_and_one_with_them_is_continued() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    let saving = SaveSettings::default();
    fs::write(root.path().join("a"), "older").unwrap();
    for (notes, saving) in
        [(None, saving), (Some(notes(3)), SaveSettings { partial: PartialFile::Discard, ..saving })]
    {
        let mut part = created(&target, notes, saving, Hasher::default());
        part.write(b"new", false).unwrap();
        drop(part);
        assert_eq!(names_in(root.path()), ["a"]);
    }
    let mut part = created(&target, Some(notes(5)), saving, Hasher::default());
    part.write(b"He", false).unwrap();
    assert_eq!(names_in(root.path()), ["a"], "nothing is on the disk yet");
    drop(part);
    assert_eq!(names_in(root.path()), ["a", "a.part", "a.part.json"]);
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"older");

    let found = found(&target, &job()).unwrap();
    assert_eq!((found.bytes, found.notes.clone()), (2, notes(5)));
    let mut part = PartWriter::resume(found, saving).unwrap();
    part.write(b"llo", true).unwrap();
    complete(part, &target).unwrap();
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"Hello");
    assert_eq!(names_in(root.path()), ["a"]);
}

#[test]
fn notes_are_written_before_the_content() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    let large = vec![b'x'; WRITE_BUFFER_BYTES];
    let mut part =
        created(&target, Some(notes(1 << 20)), SaveSettings::default(), Hasher::default());
    part.write(&large, false).unwrap();
    assert_eq!(names_in(root.path()), ["a.part", "a.part.json"]);
    assert!(found(&target, &job()).is_none(), "it is being written");
    // As if the process had been killed.
    let Stage::Part(written) = &part.stage else { panic!() };
    written.file.get_ref().unlock().unwrap();
    assert_eq!(found(&target, &job()).unwrap().bytes, large.len() as u64);
    // Notes of another URL are not used.
    let other = Job { url: Url::parse("http://host/b").unwrap(), ..job() };
    assert!(found(&target, &other).is_none());
    drop(part);
    let mut small = created(&target, Some(notes(1)), SaveSettings::default(), Hasher::default());
    small.write(&vec![b'x'; MAX_COLLECTED_BYTES + 1], true).unwrap();
    assert_eq!(names_in(root.path()), ["a.part"], "a file in one piece needs none");
}

#[test]
fn notes_that_cannot_be_written_leave_nothing() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    let mut part =
        created(&target, Some(notes(1 << 20)), SaveSettings::default(), Hasher::default());
    let notes_path = part.make_part().unwrap().paths.path_of(TemporaryFile::Notes);
    fs::create_dir(notes_path).unwrap();
    let error = part.write(&vec![b'x'; WRITE_BUFFER_BYTES], false).unwrap_err();
    assert!(matches!(error, FetchError::File { .. }), "{error}");
    drop(part);
    assert_eq!(names_in(root.path()), ["a.part.json"]);
}

#[test]
fn notes_that_another_process_left_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    let paths = PartPaths::choose(&target).unwrap();
    for left_behind in [TemporaryFile::Part, TemporaryFile::NewNotes] {
        fs::write(paths.path_of(left_behind), "{").unwrap();
    }
    assert!(matches!(find_earlier(&target, &job()).unwrap(), Earlier::Leftovers));
    let (saving, hasher) = (SaveSettings::default(), Hasher::default());
    let new = NewFile { target: target.clone(), notes: None, hasher, saving, has_leftovers: true };
    complete(PartWriter::create(new), &target).unwrap();
    assert_eq!(names_in(root.path()), ["a"]);
}

#[test]
fn notes_without_a_part_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    let paths = PartPaths::choose(&target).unwrap();
    for url in ["http://host/a", "http://host/b"] {
        let part = tempfile::tempfile().unwrap();
        part_notes::write(&paths, &Notes { url: url.into(), ..notes(5) }, &part).unwrap();
        assert!(found(&target, &job()).is_none());
        assert!(names_in(root.path()).is_empty());
    }
}

#[test]
fn content_that_ends_within_the_bound_reaches_the_disk_when_it_is_complete() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    for pieces in
        [&[16_000, 383][..], &[MAX_COLLECTED_BYTES], &[16_000, MAX_COLLECTED_BYTES - 16_000], &[]]
    {
        let content: Vec<u8> = (0..=255).cycle().take(pieces.iter().sum()).collect();
        let saving = SaveSettings::default();
        let mut part =
            created(&target, Some(notes(content.len() as u64)), saving, Hasher::default());
        let mut rest = &content[..];
        for (number, length) in pieces.iter().enumerate() {
            let (piece, next) = rest.split_at(*length);
            part.write(piece, number > 0 || *length > 16_000).unwrap();
            rest = next;
        }
        let _ = fs::remove_file(target.path());
        assert_eq!(names_in(root.path()), [""; 0], "{pieces:?}");
        complete(part, &target).unwrap();
        assert!(fs::read(target.path()).unwrap() == content, "{pieces:?}");
        assert_eq!(names_in(root.path()), ["a"]);
    }
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    let checksum = Hasher::of(None, Hashing::Sha256).finish()[0].clone();
    let expected = ExpectedChecksum { checksum, is_algorithm_named: true };
    let hasher = Hasher::of(Some(&expected), Hashing::WhenNeeded);
    let mut part = created(&target, Some(notes(3)), SaveSettings::default(), hasher);
    part.write(b"abc", true).unwrap();
    let error = part
        .complete(&mut Completion {
            modified: None,
            expected: Some(&expected),
            next_candidate: &mut || Ok(replacing(&target)),
        })
        .unwrap_err();
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    assert_eq!(names_in(root.path()), [""; 0]);
}

#[test]
fn a_directory_with_the_final_name_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path());
    fs::create_dir(root.path().join("a")).unwrap();
    let part = created(&target, None, SaveSettings::default(), Hasher::default());
    let Err(FetchError::File { path, .. }) = complete(part, &target) else { panic!() };
    assert_eq!(path, root.path().join("a"));
    assert_eq!(names_in(root.path()), ["a"]);
}
