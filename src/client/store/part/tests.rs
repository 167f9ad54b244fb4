//! Parts on their way to a name, kept, continued and removed.

use std::fs;
use std::path::Path;

use url::Url;

use super::*;
use crate::client::plan::part_name;
use crate::client::settings::Hashing;
use crate::client::store::directory::OutputDirectory;
use crate::client::store::part_notes::Validator;

/// The names in the directory, those of parts and notes without their hashes.
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

fn places(root: &Path) -> (PartPaths, TargetPath) {
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

fn complete(part: PartFile, target: &TargetPath) -> Result<Completed, FetchError> {
    part.complete(&mut Completion {
        modified: None,
        expected: None,
        next_place: &mut || Ok((target.clone(), OnConflict::Replace)),
    })
}

#[test]
fn a_file_has_its_name_only_when_it_is_complete() {
    let root = tempfile::tempdir().unwrap();
    let (place, target) = places(root.path());
    fs::write(root.path().join("a"), "an older and longer file").unwrap();
    let large = vec![b'x'; 2 * GATHER_BYTES];
    let mut part =
        PartFile::create(place.clone(), None, SaveSettings::default(), Hasher::default()).unwrap();
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
    let (place, target) = places(root.path());
    let saving = SaveSettings::default();
    fs::write(root.path().join("a"), "older").unwrap();
    for (notes, saving) in
        [(None, saving), (Some(notes(3)), SaveSettings { partial: PartialFile::Discard, ..saving })]
    {
        let mut part = PartFile::create(place.clone(), notes, saving, Hasher::default()).unwrap();
        part.write(b"new", false).unwrap();
        drop(part);
        assert_eq!(names_in(root.path()), ["a"]);
    }
    let mut part =
        PartFile::create(place.clone(), Some(notes(5)), saving, Hasher::default()).unwrap();
    part.write(b"He", false).unwrap();
    assert_eq!(names_in(root.path()), ["a", "a.part"], "nothing is on the disk yet");
    drop(part);
    assert_eq!(names_in(root.path()), ["a", "a.part", "a.part.json"]);
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"older");

    let found = find_resumable(&place, &job()).unwrap();
    assert_eq!((found.bytes, found.notes.clone()), (2, notes(5)));
    let mut part = PartFile::continued(place.clone(), found, saving).unwrap();
    part.write(b"llo", true).unwrap();
    complete(part, &target).unwrap();
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"Hello");
    assert_eq!(names_in(root.path()), ["a"]);
}

#[test]
fn notes_are_there_before_what_they_are_about() {
    let root = tempfile::tempdir().unwrap();
    let (place, _) = places(root.path());
    let large = vec![b'x'; GATHER_BYTES];
    let mut part = PartFile::create(
        place.clone(),
        Some(notes(1 << 20)),
        SaveSettings::default(),
        Hasher::default(),
    )
    .unwrap();
    part.write(&large, false).unwrap();
    assert_eq!(names_in(root.path()), ["a.part", "a.part.json"]);
    assert!(find_resumable(&place, &job()).is_none(), "it is being written");
    // As it is where a process ends without a word.
    part.file.get_ref().unlock().unwrap();
    assert_eq!(find_resumable(&place, &job()).unwrap().bytes, large.len() as u64);
    // Of another URL, nothing is found.
    let other = Job { url: Url::parse("http://host/b").unwrap(), ..job() };
    assert!(find_resumable(&place, &other).is_none());
    drop(part);
    let mut small =
        PartFile::create(place.clone(), Some(notes(1)), SaveSettings::default(), Hasher::default())
            .unwrap();
    small.write(&large, true).unwrap();
    assert_eq!(names_in(root.path()), ["a.part"], "a file in one piece needs none");
}

#[test]
fn notes_that_cannot_be_written_leave_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (place, _) = places(root.path());
    let mut part = PartFile::create(
        place.clone(),
        Some(notes(1 << 20)),
        SaveSettings::default(),
        Hasher::default(),
    )
    .unwrap();
    fs::create_dir(place.path_of(TemporaryFile::Notes)).unwrap();
    let error = part.write(&vec![b'x'; GATHER_BYTES], false).unwrap_err();
    assert!(matches!(error, FetchError::File { .. }), "{error}");
    drop(part);
    assert_eq!(names_in(root.path()), ["a.part.json"]);
}

#[test]
fn notes_that_another_process_did_not_finish_go_with_the_others() {
    let root = tempfile::tempdir().unwrap();
    let (place, target) = places(root.path());
    for left_behind in [TemporaryFile::Part, TemporaryFile::NewNotes] {
        fs::write(place.path_of(left_behind), "{").unwrap();
    }
    let part =
        PartFile::create(place.clone(), None, SaveSettings::default(), Hasher::default()).unwrap();
    complete(part, &target).unwrap();
    assert_eq!(names_in(root.path()), ["a"]);
}

#[test]
fn notes_without_a_part_do_not_come_to_stand_beside_another() {
    let root = tempfile::tempdir().unwrap();
    let (place, _) = places(root.path());
    for url in ["http://host/a", "http://host/b"] {
        let part = tempfile::tempfile().unwrap();
        part_notes::write(&place, &Notes { url: url.into(), ..notes(5) }, &part).unwrap();
        assert!(find_resumable(&place, &job()).is_none());
        assert!(names_in(root.path()).is_empty());
    }
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (place, target) = places(root.path());
    let checksum = Hasher::of(None, Hashing::Sha256).finish()[0].clone();
    let expected = ExpectedChecksum { checksum, is_algorithm_named: true };
    let hasher = Hasher::of(Some(&expected), Hashing::WhenNeeded);
    let mut part =
        PartFile::create(place.clone(), Some(notes(3)), SaveSettings::default(), hasher).unwrap();
    part.write(b"abc", true).unwrap();
    let error = part
        .complete(&mut Completion {
            modified: None,
            expected: Some(&expected),
            next_place: &mut || Ok((target.clone(), OnConflict::Replace)),
        })
        .unwrap_err();
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    assert_eq!(names_in(root.path()), [""; 0]);
}

#[test]
fn a_directory_in_the_place_of_a_file_is_said() {
    let root = tempfile::tempdir().unwrap();
    let (place, target) = places(root.path());
    fs::create_dir(root.path().join("a")).unwrap();
    let part =
        PartFile::create(place.clone(), None, SaveSettings::default(), Hasher::default()).unwrap();
    let Err(FetchError::File { path, .. }) = complete(part, &target) else { panic!() };
    assert_eq!(path, root.path().join("a"));
    assert_eq!(names_in(root.path()), ["a"]);
}
