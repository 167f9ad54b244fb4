//! Places of parts beside files of others, links and files that are there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
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
fn what_is_not_the_users_own_is_left_alone_and_another_name_is_taken() {
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
            let place = PartPaths::choose(&target).unwrap();
            assert_ne!(place.path_of(which), planted, "{kind}");
            drop(place.begin().unwrap());
            drop(place.create_new_notes().unwrap());
            place.replace_notes().unwrap();
            assert_eq!(file_names(root.path()).len(), before.len() + 2);
            place.remove_all();
            assert_eq!(file_names(root.path()), before, "{kind}");
        }
    }
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
}

#[test]
fn what_comes_to_stand_there_later_is_neither_opened_nor_removed() {
    let root = tempfile::tempdir().unwrap();
    let place = OutputDirectory::prepare(root.path()).unwrap().target_path("a").unwrap();
    let place = PartPaths::choose(&place).unwrap();
    let victim = root.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    for which in TemporaryFile::ALL {
        fs::hard_link(&victim, place.path_of(which)).unwrap();
        assert_eq!(place.open(which).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
    assert!(place.begin().is_err() && place.create_new_notes().is_err());
    place.remove_all();
    assert_eq!(file_names(root.path()).len(), 4);
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
}

#[test]
fn where_others_have_all_names_there_is_no_place() {
    let root = tempfile::tempdir().unwrap();
    let target = OutputDirectory::prepare(root.path()).unwrap().target_path("a").unwrap();
    for _ in 0..MAX_NAMES {
        fs::create_dir(PartPaths::choose(&target).unwrap().path_of(TemporaryFile::Notes)).unwrap();
    }
    let error = PartPaths::choose(&target).unwrap_err();
    assert!(matches!(error, FetchError::File { .. }), "{error}");
}

#[test]
fn what_is_claimed_is_neither_claimed_nor_begun_again() {
    let root = tempfile::tempdir().unwrap();
    let place = OutputDirectory::prepare(root.path()).unwrap().target_path("a").unwrap();
    let place = PartPaths::choose(&place).unwrap();
    let first = place.begin().unwrap();
    assert_eq!(place.claim().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    let error = place.begin().unwrap_err();
    let FetchError::File { error, .. } = error else { panic!("{error}") };
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    drop(first);
    let second = place.claim().unwrap();
    assert!(place.begin().is_err());
    drop(second);
    place.begin().unwrap();
}

#[test]
fn a_part_moves_only_where_it_may() {
    let root = tempfile::tempdir().unwrap();
    let directory = OutputDirectory::prepare(root.path()).unwrap();
    let target = directory.target_path("x/y/z").unwrap();
    let part = PartPaths::choose(&target).unwrap();
    part.begin().unwrap();
    fs::write(root.path().join("taken"), "older").unwrap();
    let taken = directory.target_path("taken").unwrap();
    assert!(!part.move_to(&taken, OnConflict::TryNext).unwrap());
    assert_eq!(taken.existing_bytes(), Some(5));
    assert!(part.move_to(&taken, OnConflict::Replace).unwrap());
    assert_eq!((taken.existing_bytes(), target.existing_bytes()), (Some(0), None));
    assert!(root.path().join("x/y").is_dir());
}

#[test]
fn a_reservation_is_replaced_and_what_is_there_is_not() {
    let root = tempfile::tempdir().unwrap();
    let target = OutputDirectory::prepare(root.path()).unwrap().target_path("b").unwrap();
    let (directory, leaf) = (target.directory().as_fd(), target.leaf());
    fs::write(root.path().join("a"), "content").unwrap();
    let failed = reserve_and_replace((directory, "gone"), (directory, leaf));
    assert_eq!((failed, target.existing_bytes()), (Err(Errno::NOENT), None), "it is given up");
    reserve_and_replace((directory, "a"), (directory, leaf)).unwrap();
    assert_eq!(fs::read(root.path().join("b")).unwrap(), b"content");
    assert!(!root.path().join("a").exists());

    fs::write(root.path().join("a"), "newer").unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    for taken in ["b", "dangling"] {
        let moved = reserve_and_replace((directory, "a"), (directory, taken));
        assert_eq!(moved, Err(Errno::EXIST));
    }
    assert_eq!(fs::read(root.path().join("b")).unwrap(), b"content");
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"newer");
}
