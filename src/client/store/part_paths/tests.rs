//! Parts beside the files of other programs, links and existing files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::client::store::candidate::OnConflict;
use crate::client::store::directory::OutputDirectory;

fn file_names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn files_of_others_are_left_alone_and_another_name_is_taken() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = OutputDirectory::prepare(root.path()).unwrap().target_path("a").unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    for which in TemporaryFile::ALL {
        for kind in ["symbolic link", "hard link", "directory", "FIFO"] {
            let planted = PartPaths::choose(&target).unwrap().path_of(which);
            match kind {
                "symbolic link" => symlink(&victim, &planted).unwrap(),
                "hard link" => fs::hard_link(&victim, &planted).unwrap(),
                "directory" => fs::create_dir(&planted).unwrap(),
                _ => rustix::fs::mknodat(rustix::fs::CWD, &planted, FileType::Fifo, Mode::RWXU, 0)
                    .unwrap(),
            }
            let before = file_names(root.path());
            let paths = PartPaths::choose(&target).unwrap();
            assert_ne!(paths.path_of(which), planted, "{kind}");
            drop(paths.create_part().unwrap());
            drop(paths.create_new_notes().unwrap());
            paths.replace_notes().unwrap();
            assert_eq!(file_names(root.path()).len(), before.len() + 2);
            paths.remove_all();
            assert_eq!(file_names(root.path()), before, "{kind}");
        }
    }
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
}

#[test]
fn files_planted_later_are_neither_opened_nor_removed() {
    let root = tempfile::tempdir().unwrap();
    let target = OutputDirectory::prepare(root.path()).unwrap().target_path("a").unwrap();
    let paths = PartPaths::choose(&target).unwrap();
    let victim = root.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    for which in TemporaryFile::ALL {
        fs::hard_link(&victim, paths.path_of(which)).unwrap();
        assert_eq!(paths.open(which).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
    assert!(paths.create_part().is_err() && paths.create_new_notes().is_err());
    paths.remove_all();
    assert_eq!(file_names(root.path()).len(), 4);
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
}

#[test]
fn no_names_are_left_if_others_have_them_all() {
    let root = tempfile::tempdir().unwrap();
    let target = OutputDirectory::prepare(root.path()).unwrap().target_path("a").unwrap();
    for _ in 0..MAX_NAMES {
        fs::create_dir(PartPaths::choose(&target).unwrap().path_of(TemporaryFile::Notes)).unwrap();
    }
    let error = PartPaths::choose(&target).unwrap_err();
    assert!(matches!(error, FetchError::File { .. }), "{error}");
}

#[test]
fn a_locked_part_is_neither_opened_nor_replaced() {
    let root = tempfile::tempdir().unwrap();
    let target = OutputDirectory::prepare(root.path()).unwrap().target_path("a").unwrap();
    let paths = PartPaths::choose(&target).unwrap();
    let first = paths.create_part().unwrap();
    assert_eq!(paths.open_locked().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    let error = paths.create_part().unwrap_err();
    let FetchError::File { error, .. } = error else { panic!("{error}") };
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    drop(first);
    let second = paths.open_locked().unwrap();
    assert!(paths.create_part().is_err());
    drop(second);
    paths.create_part().unwrap();
}

#[test]
fn a_part_moves_only_where_it_may() {
    let root = tempfile::tempdir().unwrap();
    let directory = OutputDirectory::prepare(root.path()).unwrap();
    let target = directory.target_path("x/y/z").unwrap();
    let part = PartPaths::choose(&target).unwrap();
    part.create_part().unwrap();
    fs::write(root.path().join("taken"), "older").unwrap();
    let taken = directory.target_path("taken").unwrap();
    let candidate =
        |on_conflict| Candidate { target: taken.clone(), on_conflict, is_likely_taken: true };
    assert!(!part.move_to(&candidate(OnConflict::TryNext)).unwrap());
    assert_eq!(taken.existing_bytes(), Some(5));
    assert!(part.move_to(&candidate(OnConflict::Replace)).unwrap());
    assert_eq!((taken.existing_bytes(), target.existing_bytes()), (Some(0), None));
    assert!(root.path().join("x/y").is_dir());
}
