//! Parts that are renamed, kept, resumed and removed.

use std::fs;
use std::path::Path;

use url::Url;

use super::*;
use crate::client::plan::part_name;
use crate::client::settings::Hashing;
use crate::client::store::directory::{OutputDirectory, TargetPath};
use crate::client::store::part_paths::OnConflict;
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

fn paths(root: &Path) -> (PartPaths, TargetPath) {
    let target = OutputDirectory::prepare(root).unwrap().target_path("a").unwrap();
    (PartPaths::choose(&target).unwrap(), target)
}

fn job() -> Job {
    let url = Url::parse("http://host/a").unwrap();
    Job { url, credentials: None, file_name: "a".into(), is_name_chosen: false, checksum: None }
}

fn notes(length: u64) -> Notes {
    let validator = Validator::Tag("\"x\"".into());
    Notes { url: "http://host/a".into(), validator, length: Some(length), missing: None }
}

fn replacing(target: &TargetPath) -> Candidate {
    Candidate { target: target.clone(), on_conflict: OnConflict::Replace }
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
    let (paths, target) = paths(root.path());
    fs::write(root.path().join("a"), "an older and longer file").unwrap();
    let large = vec![b'x'; 2 * WRITE_BUFFER_BYTES];
    let mut part =
        PartWriter::create(paths.clone(), None, SaveSettings::default(), Hasher::default())
            .unwrap();
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
    let (paths, target) = paths(root.path());
    let saving = SaveSettings::default();
    fs::write(root.path().join("a"), "older").unwrap();
    for (notes, saving) in
        [(None, saving), (Some(notes(3)), SaveSettings { partial: PartialFile::Discard, ..saving })]
    {
        let mut part = PartWriter::create(paths.clone(), notes, saving, Hasher::default()).unwrap();
        part.write(b"new", false).unwrap();
        drop(part);
        assert_eq!(names_in(root.path()), ["a"]);
    }
    let mut part =
        PartWriter::create(paths.clone(), Some(notes(5)), saving, Hasher::default()).unwrap();
    part.write(b"He", false).unwrap();
    assert_eq!(names_in(root.path()), ["a", "a.part"], "nothing is on the disk yet");
    drop(part);
    assert_eq!(names_in(root.path()), ["a", "a.part", "a.part.json"]);
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"older");

    let found = find_resumable(&paths, &job()).unwrap();
    assert_eq!((found.bytes, found.notes.clone()), (2, notes(5)));
    let mut part = PartWriter::resume(paths.clone(), found, saving).unwrap();
    part.write(b"llo", true).unwrap();
    complete(part, &target).unwrap();
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"Hello");
    assert_eq!(names_in(root.path()), ["a"]);
}

#[test]
fn notes_are_written_before_the_content() {
    let root = tempfile::tempdir().unwrap();
    let (paths, _) = paths(root.path());
    let large = vec![b'x'; WRITE_BUFFER_BYTES];
    let mut part = PartWriter::create(
        paths.clone(),
        Some(notes(1 << 20)),
        SaveSettings::default(),
        Hasher::default(),
    )
    .unwrap();
    part.write(&large, false).unwrap();
    assert_eq!(names_in(root.path()), ["a.part", "a.part.json"]);
    assert!(find_resumable(&paths, &job()).is_none(), "it is being written");
    // As if the process had been killed.
    part.file.get_ref().unlock().unwrap();
    assert_eq!(find_resumable(&paths, &job()).unwrap().bytes, large.len() as u64);
    // Notes of another URL are not used.
    let other = Job { url: Url::parse("http://host/b").unwrap(), ..job() };
    assert!(find_resumable(&paths, &other).is_none());
    drop(part);
    let mut small = PartWriter::create(
        paths.clone(),
        Some(notes(1)),
        SaveSettings::default(),
        Hasher::default(),
    )
    .unwrap();
    small.write(&large, true).unwrap();
    assert_eq!(names_in(root.path()), ["a.part"], "a file in one piece needs none");
}

#[test]
fn notes_that_cannot_be_written_leave_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (paths, _) = paths(root.path());
    let mut part = PartWriter::create(
        paths.clone(),
        Some(notes(1 << 20)),
        SaveSettings::default(),
        Hasher::default(),
    )
    .unwrap();
    fs::create_dir(paths.path_of(TemporaryFile::Notes)).unwrap();
    let error = part.write(&vec![b'x'; WRITE_BUFFER_BYTES], false).unwrap_err();
    assert!(matches!(error, FetchError::File { .. }), "{error}");
    drop(part);
    assert_eq!(names_in(root.path()), ["a.part.json"]);
}

#[test]
fn notes_that_another_process_left_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let (paths, target) = paths(root.path());
    for left_behind in [TemporaryFile::Part, TemporaryFile::NewNotes] {
        fs::write(paths.path_of(left_behind), "{").unwrap();
    }
    let part = PartWriter::create(paths.clone(), None, SaveSettings::default(), Hasher::default())
        .unwrap();
    complete(part, &target).unwrap();
    assert_eq!(names_in(root.path()), ["a"]);
}

#[test]
fn notes_without_a_part_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let (paths, _) = paths(root.path());
    for url in ["http://host/a", "http://host/b"] {
        let part = tempfile::tempfile().unwrap();
        part_notes::write(&paths, &Notes { url: url.into(), ..notes(5) }, &part).unwrap();
        assert!(find_resumable(&paths, &job()).is_none());
        assert!(names_in(root.path()).is_empty());
    }
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (paths, target) = paths(root.path());
    let checksum = Hasher::of(None, Hashing::Sha256).finish()[0].clone();
    let expected = ExpectedChecksum { checksum, is_algorithm_named: true };
    let hasher = Hasher::of(Some(&expected), Hashing::WhenNeeded);
    let mut part =
        PartWriter::create(paths.clone(), Some(notes(3)), SaveSettings::default(), hasher).unwrap();
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
    let (paths, target) = paths(root.path());
    fs::create_dir(root.path().join("a")).unwrap();
    let part = PartWriter::create(paths.clone(), None, SaveSettings::default(), Hasher::default())
        .unwrap();
    let Err(FetchError::File { path, .. }) = complete(part, &target) else { panic!() };
    assert_eq!(path, root.path().join("a"));
    assert_eq!(names_in(root.path()), ["a"]);
}
